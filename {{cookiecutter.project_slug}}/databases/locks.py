"""Locks between the processes of this project. They end with the process, also if it is killed."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import Error

#: Seconds between two attempts to take a lock of PostgreSQL.
PAUSE_SECONDS = 0.1


def lock(connection: Any, name: str, busy: Exception, *, wait: float = 0) -> contextlib.AbstractContextManager[None]:
    """Within the block, this process has the lock of this name, for the database of the connection.

    On PostgreSQL the lock has its own connection, also through a pooler in transaction mode.

    Arguments: the connection; the name; the exception that is raised if another process has the lock, or another block
    of this one, except on MySQL; and the seconds to wait for it. Sources: PostgreSQL manual, 13.3.5; MariaDB, GET_LOCK.
    """
    if connection.vendor == "sqlite":
        return _locked_file(connection, name, busy, wait)
    # MySQL's locks belong to the whole server, where other projects may have databases.
    digest = hashlib.sha256(f"{connection.settings_dict['NAME']} {name}".encode())
    if connection.vendor == "mysql":
        return _locked_session(connection, digest.hexdigest(), busy, wait)
    return _locked_transaction(connection, int.from_bytes(digest.digest()[:7], "big"), busy, wait)


@contextlib.contextmanager
def _locked_session(connection: Any, key: str, busy: Exception, wait: float) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [key, wait])
        if not cursor.fetchone()[0]:
            raise busy
    try:
        yield
    finally:
        # A session that was lost has released it.
        with contextlib.suppress(Error), connection.cursor() as cursor:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [key])


@contextlib.contextmanager
def _locked_transaction(connection: Any, key: int, busy: Exception, wait: float) -> Iterator[None]:
    # A pooler may give each transaction another session of the server, but keeps one for the whole transaction.
    with contextlib.closing(connection.copy()) as own:
        # A web process would run out of the connections of its pool.
        own.settings_dict["OPTIONS"].pop("pool", None)
        own.set_autocommit(False)
        try:
            with own.cursor() as cursor:
                # A snapshot of the whole transaction would hold back VACUUM.
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                # These would end a transaction that says nothing for hours.
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                cursor.execute("SET LOCAL statement_timeout = 0")
                if own.pg_version >= 170000:
                    cursor.execute("SET LOCAL transaction_timeout = 0")
                _acquire(cursor, key, busy, wait)
            yield
        finally:
            # The server may notice later that a client has left. A session that was lost has released the lock.
            with contextlib.suppress(Error):
                own.rollback()


def _acquire(cursor: Any, key: int, busy: Exception, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        if cursor.fetchone()[0]:
            return
        if time.monotonic() >= until:
            raise busy
        # A statement that waits for the lock would have a snapshot. CREATE INDEX CONCURRENTLY, in a migration of the
        # process that has the lock, would wait for its end.
        pause()


def pause() -> None:
    """Wait until the next attempt."""
    time.sleep(PAUSE_SECONDS)


@contextlib.contextmanager
def _locked_file(connection: Any, name: str, busy: Exception, wait: float) -> Iterator[None]:
    # SQLite's own locks work on every platform.
    with contextlib.closing(
        sqlite3.connect(_lock_uri(connection, name), timeout=wait, isolation_level=None, uri=True)
    ) as file:
        try:
            file.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise busy from None
        yield


def _lock_uri(connection: Any, name: str) -> str:
    """Return the URI of a lock file beside the database, or in memory if the database is in memory."""
    path, name = str(connection.settings_dict["NAME"]), name.replace(" ", "-")
    if connection.is_in_memory_db():
        return f"file:{hashlib.sha256(path.encode()).hexdigest()}-{name}?mode=memory&cache=shared"
    # The file is never deleted: a process with the deleted file and one with a new file would both hold the lock.
    folder = Path(f"{Path(path).resolve()}-locks")
    folder.mkdir(exist_ok=True)
    return (folder / name).as_uri()
