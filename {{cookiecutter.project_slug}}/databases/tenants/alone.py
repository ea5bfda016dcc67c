"""One process at a time looks after a tenant, or after all: locks that end with the process, however that ends."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

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
    """Within the block, no other process is in a block of this name. Raises `TenantError` where one is.

    Arguments: the name and what the error says. The lock belongs to this thread's connection to the primary database;
    poolers that share connections between transactions cannot hold it. Sources: PostgreSQL manual, 13.3.5; MariaDB,
    GET_LOCK.
    """
    if connection.vendor == "sqlite":
        with _locked_file(name, busy):
            yield
        return
    take, give = ("SELECT pg_try_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)")
    key: int | str = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    if connection.vendor == "mysql":
        take, give, key = "SELECT GET_LOCK(%s, 0)", "SELECT RELEASE_LOCK(%s)", name
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
    # A primary in a file has all of its processes on one machine. SQLite's own lock works wherever SQLite does.
    path = Path(tempfile.gettempdir(), f"{name.replace(' ', '-')}.lock")
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise TenantError(busy) from None
        yield
