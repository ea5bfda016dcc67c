"""Stops writing to a database while it is read on: at the server, so that no process can be late.

PostgreSQL and SQLite stay frozen until `thaw`, also when this process is killed; MySQL and MariaDB, which have no such
switch for one database, as long as the block lasts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from .engines import SESSIONS, end_sessions
from .states import TenantError
from .upkeep import connected, server_cursor

#: Triggers of this name stand in frozen SQLite files.
TRIGGER = "tenant_is_frozen"
#: What lets a user of MySQL or MariaDB see and end the sessions of others.
ENDING = {"PROCESS", "CONNECTION ADMIN"}
#: Those that began before a moment, and so have missed what was set then; whether they have been idle for a while.
EARLIER = f"""
SELECT pid, state = 'idle' AND state_change < clock_timestamp() - interval '1 second' {SESSIONS}
AND COALESCE(backend_start < %s, true)
"""


@contextmanager
def frozen(alias: str, config: dict[str, Any], patience: float) -> Iterator[None]:
    """Within the block nobody writes to the database of these settings, and everybody may read.

    Arguments: an alias for messages, the settings, and for how many seconds transactions that are open may go on.
    However the block is left, it takes `thaw` to end this on PostgreSQL and SQLite. Raises `TenantError` and Django's
    database errors where it cannot be done.
    """
    if config["ENGINE"].endswith("mysql"):
        with _locked_mysql(alias, config, patience):
            yield
        return
    if config["ENGINE"].endswith("sqlite3"):
        _freeze_sqlite(config["NAME"], patience)
    else:
        _freeze_postgres(alias, config, patience)
    yield


def thaw(alias: str, config: dict[str, Any]) -> None:
    """Let a frozen database, or one that was copied from a frozen one, be written to again."""
    if config["ENGINE"].endswith("sqlite3"):
        with closing(_opened(config["NAME"])) as database:
            for name in _triggers(database):
                database.execute(f"DROP TRIGGER {_quote(name)}")
    elif not config["ENGINE"].endswith("mysql"):
        with server_cursor(alias, config) as cursor:
            name = cursor.db.ops.quote_name(config["NAME"])
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            # Those that began in the freeze would only read for as long as they last.
            end_sessions(cursor, config["NAME"])


def shut(alias: str, config: dict[str, Any]) -> None:
    """Let nobody connect to a frozen database any more, where the engine can do that. `reopen` is for upkeep."""
    if config["ENGINE"].endswith("postgresql"):
        with server_cursor(alias, config) as cursor:
            name = cursor.db.ops.quote_name(config["NAME"])
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            end_sessions(cursor, config["NAME"])


def reopen(alias: str, config: dict[str, Any]) -> None:
    """Let upkeep connect to a database that was shut; it stays frozen."""
    if config["ENGINE"].endswith("postgresql"):
        with server_cursor(alias, config) as cursor:
            cursor.execute(f"ALTER DATABASE {cursor.db.ops.quote_name(config['NAME'])} ALLOW_CONNECTIONS true")


def _freeze_postgres(alias: str, config: dict[str, Any], patience: float) -> None:
    with server_cursor(alias, config) as cursor:
        name = cursor.db.ops.quote_name(config["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        # Only sessions that start from now on know of it. PostgreSQL manual, ALTER DATABASE.
        cursor.execute("SELECT clock_timestamp()")
        start, deadline = cursor.fetchone()[0], time.monotonic() + patience
        while True:
            cursor.execute(EARLIER, [config["NAME"], start])
            sessions = cursor.fetchall()
            if not sessions:
                return
            late = time.monotonic() > deadline
            if time.monotonic() > deadline + 10:
                raise TenantError(f"{len(sessions)} sessions on {config['NAME']} do not end: end them, and try again.")
            # An idle one is opened again by whoever needs it; a transaction is given its time.
            for pid in [pid for pid, is_idle in sessions if is_idle or late]:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            time.sleep(0.05)


@contextmanager
def _locked_mysql(alias: str, config: dict[str, Any], patience: float) -> Iterator[None]:
    with connected(alias, config) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT REPLACE(privilege_type, '_', ' ') FROM information_schema.user_privileges")
        if lacking := ENDING - {name for (name,) in cursor.fetchall()}:
            raise TenantError(
                f"The server's user must be able to end sessions that wait to write to {config['NAME']}: grant it "
                f"{' and '.join(sorted(lacking))} on *.*, and try again."
            )
        cursor.execute("SET SESSION lock_wait_timeout = %s", [max(1, round(patience))])
        tables = connection.introspection.get_table_list(cursor)
        quoted = [connection.ops.quote_name(table.name) for table in tables if table.type == "t"]
        if quoted:
            cursor.execute(f"LOCK TABLES {', '.join(f'{name} READ' for name in quoted)}")
        yield
        # Who has waited to write all this time must not come to it now: the database may be the old one.
        _end_sessions_mysql(cursor, config["NAME"])
        cursor.execute("UNLOCK TABLES")


def _end_sessions_mysql(cursor: CursorWrapper, name: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()", [name])
        sessions = cursor.fetchall()
        if not sessions:
            return
        if time.monotonic() > deadline:
            raise TenantError(f"{len(sessions)} sessions on {name} do not end: what they wait to write will be lost.")
        for (number,) in sessions:
            # One may have ended by itself.
            with suppress(OperationalError):
                cursor.execute(f"KILL {int(number)}")
        time.sleep(0.05)


def _freeze_sqlite(path: str, patience: float) -> None:
    with closing(_opened(path, patience)) as database:
        # Waits for whoever writes; those who wait behind us meet the triggers.
        database.execute("BEGIN IMMEDIATE")
        for name in _triggers(database):
            database.execute(f"DROP TRIGGER {_quote(name)}")
        tables = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        for (table,) in tables.fetchall():
            for event in ("INSERT", "UPDATE", "DELETE"):
                database.execute(
                    f"CREATE TRIGGER {_quote(f'{TRIGGER}_{event}_{table}')} BEFORE {event} ON {_quote(table)} "
                    "BEGIN SELECT RAISE(ABORT, 'this tenant is being moved or archived: nothing is written'); END"
                )
        database.execute("COMMIT")


def _opened(path: str, patience: float = 5) -> sqlite3.Connection:
    # Through a URI, which makes no file where there is none.
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, timeout=patience, uri=True, isolation_level=None)


def _triggers(database: sqlite3.Connection) -> list[str]:
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    return [name for (name,) in found if name.startswith(f"{TRIGGER}_")]


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
