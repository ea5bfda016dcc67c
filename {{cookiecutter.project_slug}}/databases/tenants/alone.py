"""One process at a time looks after a tenant, or after all: locks that end with the process, however that ends."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from .registry import Tenant
from .states import TenantError


def alone_with(tenant: Tenant) -> AbstractContextManager[None]:
    """Within the block, no other process is in such a block of the same tenant. Raises `TenantError` where one is."""
    return alone(
        f"tenant {tenant.uid.hex}",
        f"Another process is busy with the tenant {tenant.slug!r}: wait for it, and try again.",
    )


@contextmanager
def alone(name: str, busy: str) -> Iterator[None]:
    """Within the block, no other process of this project is in a block of this name. Raises `TenantError` where one is.

    Arguments: the name and what the error says. The lock belongs to this thread's connection to the primary database;
    poolers that share connections between transactions cannot hold it. Sources: PostgreSQL manual, 13.3.5; MariaDB,
    GET_LOCK.
    """
    if connection.vendor == "sqlite":
        with _locked_file(name, busy):
            yield
        return
    # On MySQL locks are the whole server's, where other projects may have databases too.
    digest = hashlib.sha256(f"{connection.settings_dict['NAME']} {name}".encode())
    take, give = ("SELECT pg_try_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)")
    key: int | str = int.from_bytes(digest.digest()[:7], "big")
    if connection.vendor == "mysql":
        take, give, key = "SELECT GET_LOCK(%s, 0)", "SELECT RELEASE_LOCK(%s)", digest.hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(take, [key])
        if not cursor.fetchone()[0]:
            raise TenantError(busy)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(give, [key])


@contextmanager
def _locked_file(name: str, busy: str) -> Iterator[None]:
    # SQLite's own lock works wherever SQLite does.
    with closing(sqlite3.connect(_place_of_lock(name), timeout=0, isolation_level=None, uri=True)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise TenantError(busy) from None
        yield


def _place_of_lock(name: str) -> str:
    """Return the URI of a file of this project's own, beside its primary database, or in memory where that is."""
    primary: Any = connection
    path, name = primary.settings_dict["NAME"], name.replace(" ", "-")
    if primary.is_in_memory_db():
        return f"file:{hashlib.sha256(path.encode()).hexdigest()}-{name}?mode=memory&cache=shared"
    # It stays: to remove it would let in both who has opened it before and who makes it anew.
    folder = Path(f"{Path(path).resolve()}-locks")
    folder.mkdir(exist_ok=True)
    return (folder / name).as_uri()
