"""Locks between processes, on a tenant or on a name. They end with the process, also if it is killed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError


def tenant_lock(tenant: Tenant) -> AbstractContextManager[None]:
    """Within the block, this process has the lock of the tenant. Raises `TenantError` if another process has it."""
    return named_lock(
        f"tenant {tenant.uid.hex}",
        f"Another process works on the tenant {tenant.slug!r}: wait until it ends, and try again.",
    )


@contextmanager
def named_lock(name: str, busy: str) -> Iterator[None]:
    """Within the block, this process of the project has the lock. Raises `TenantError` if another process has it.

    Arguments: the name of the lock, and the message of the error. The lock belongs to this thread's connection to the
    primary database; a pooler in transaction mode cannot hold it.
    Sources: PostgreSQL manual, 13.3.5; MariaDB, GET_LOCK.
    """
    if connection.vendor == "sqlite":
        with _locked_file(name, busy):
            yield
        return
    # MySQL's locks belong to the whole server, where other projects may have databases.
    digest = hashlib.sha256(f"{connection.settings_dict['NAME']} {name}".encode())
    acquire, release = ("SELECT pg_try_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)")
    key: int | str = int.from_bytes(digest.digest()[:7], "big")
    if connection.vendor == "mysql":
        acquire, release, key = "SELECT GET_LOCK(%s, 0)", "SELECT RELEASE_LOCK(%s)", digest.hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(acquire, [key])
        if not cursor.fetchone()[0]:
            raise TenantError(busy)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(release, [key])


@contextmanager
def _locked_file(name: str, busy: str) -> Iterator[None]:
    # SQLite's own locks work on every platform.
    with closing(sqlite3.connect(_lock_uri(name), timeout=0, isolation_level=None, uri=True)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise TenantError(busy) from None
        yield


def _lock_uri(name: str) -> str:
    """Return the URI of a lock file beside the primary database, or in memory if that database is in memory."""
    primary: Any = connection
    path, name = primary.settings_dict["NAME"], name.replace(" ", "-")
    if primary.is_in_memory_db():
        return f"file:{hashlib.sha256(path.encode()).hexdigest()}-{name}?mode=memory&cache=shared"
    # The file is never deleted: a process with the deleted file and one with a new file would both hold the lock.
    folder = Path(f"{Path(path).resolve()}-locks")
    folder.mkdir(exist_ok=True)
    return (folder / name).as_uri()
