"""Databases on a server: made, dropped, looked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db.backends.utils import CursorWrapper

from .upkeep import server_cursor

NOBODY = "tenant_upkeep"
#: Those of users, not those of the server itself, such as autovacuum: only a superuser may end these.
SESSIONS = "FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"


@contextmanager
def session(config: dict[str, Any]) -> Iterator[CursorWrapper | None]:
    """Within the block, a cursor on the server of these settings, to ask it several things; none on SQLite."""
    if config["ENGINE"].endswith("sqlite3"):
        yield None
        return
    with server_cursor(NOBODY, config) as cursor:
        yield cursor


def create_database(config: dict[str, Any]) -> None:
    """Create the database where it is missing."""
    if config["ENGINE"].endswith("sqlite3"):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        Path(config["NAME"]).touch()
        return
    with server_cursor(NOBODY, config) as cursor:
        if not database_exists(config, cursor):
            suffix = " CHARACTER SET utf8mb4" if "mysql" in config["ENGINE"] else ""
            cursor.execute(f"CREATE DATABASE {cursor.db.ops.quote_name(config['NAME'])}{suffix}")


def drop_database(config: dict[str, Any]) -> None:
    """Drop the database."""
    if config["ENGINE"].endswith("sqlite3"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(config["NAME"] + suffix).unlink(missing_ok=True)
        return
    with server_cursor(NOBODY, config) as cursor:
        if "postgresql" in config["ENGINE"]:
            # A process that was killed may leave a session behind for a while. Not with FORCE, which would end
            # autovacuum too and so fail while it is at work; a plain DROP asks it to go, and waits for all to end.
            end_sessions(cursor, config["NAME"])
        cursor.execute(f"DROP DATABASE IF EXISTS {cursor.db.ops.quote_name(config['NAME'])}")


def database_exists(config: dict[str, Any], cursor: CursorWrapper | None = None) -> bool:
    """Look for the database. Argument `cursor`: one on its server, where the caller has one."""
    if config["ENGINE"].endswith("sqlite3"):
        return Path(config["NAME"]).exists()
    if cursor is None:
        with server_cursor(NOBODY, config) as cursor:
            return database_exists(config, cursor)
    if "mysql" in config["ENGINE"]:
        cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [config["NAME"]])
    else:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [config["NAME"]])
    return cursor.fetchone() is not None


def end_sessions(cursor: CursorWrapper, name: str) -> None:
    """End the sessions of users on a database of PostgreSQL; they go on for a moment."""
    cursor.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}", [name])
