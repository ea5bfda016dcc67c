"""Creates, finds and drops databases on a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db.backends.utils import CursorWrapper

from databases.tenants.maintenance import server_cursor

#: The alias of maintenance connections to a server. It is no tenant's alias: slugs have no underscore.
SERVER_ALIAS = "tenant_maintenance_"
#: Sessions of users, without the server's own processes such as autovacuum, which only a superuser may end.
SESSIONS = "FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"


@contextmanager
def session(config: dict[str, Any]) -> Iterator[CursorWrapper | None]:
    """Within the block, a cursor on the server of these settings, for several statements; `None` on SQLite."""
    if config["ENGINE"].endswith("sqlite3"):
        yield None
        return
    with server_cursor(SERVER_ALIAS, config) as cursor:
        yield cursor


def create_database(config: dict[str, Any], owner: str = "", options: str = "") -> None:
    """Create the database if it does not exist, for this owner; for the server's user if none is named.

    Argument `options`: further ones of CREATE DATABASE.
    """
    if config["ENGINE"].endswith("sqlite3"):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        Path(config["NAME"]).touch()
        return
    with server_cursor(SERVER_ALIAS, config) as cursor:
        if not database_exists(config, cursor):
            quote = cursor.db.ops.quote_name
            options += (
                " CHARACTER SET utf8mb4" if "mysql" in config["ENGINE"] else f" OWNER {quote(owner)}" if owner else ""
            )
            cursor.execute(f"CREATE DATABASE {quote(config['NAME'])}{options}")


def drop_database(config: dict[str, Any]) -> None:
    """Drop the database."""
    if config["ENGINE"].endswith("sqlite3"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(config["NAME"] + suffix).unlink(missing_ok=True)
        return
    with server_cursor(SERVER_ALIAS, config) as cursor:
        if "postgresql" in config["ENGINE"]:
            # The session of a killed process stays open for a while. Not WITH (FORCE): it fails while autovacuum works
            # on the database. A plain DROP cancels autovacuum, and waits until all sessions have ended.
            end_sessions(cursor, config["NAME"])
        cursor.execute(f"DROP DATABASE IF EXISTS {cursor.db.ops.quote_name(config['NAME'])}")


def database_exists(config: dict[str, Any], cursor: CursorWrapper | None = None) -> bool:
    """Return whether the database exists. Argument: a cursor on its server, if the caller has one."""
    if config["ENGINE"].endswith("sqlite3"):
        return Path(config["NAME"]).exists()
    if cursor is None:
        with server_cursor(SERVER_ALIAS, config) as cursor:
            return database_exists(config, cursor)
    if "mysql" in config["ENGINE"]:
        cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [config["NAME"]])
    else:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [config["NAME"]])
    return cursor.fetchone() is not None


def end_sessions(cursor: CursorWrapper, name: str) -> None:
    """Terminate the sessions of users on a PostgreSQL database. They may last a moment longer."""
    cursor.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}", [name])
