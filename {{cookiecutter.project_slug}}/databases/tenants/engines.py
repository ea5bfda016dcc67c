"""Databases on a server: made, dropped, looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .upkeep import server_cursor

NOBODY = "tenant_upkeep"


def create_database(config: dict[str, Any]) -> None:
    """Create the database."""
    if config["ENGINE"].endswith("sqlite3"):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        Path(config["NAME"]).touch()
        return
    if database_exists(config):
        return
    with server_cursor(NOBODY, config) as cursor:
        suffix = " CHARACTER SET utf8mb4" if "mysql" in config["ENGINE"] else ""
        cursor.execute(f"CREATE DATABASE {cursor.db.ops.quote_name(config['NAME'])}{suffix}")


def drop_database(config: dict[str, Any]) -> None:
    """Drop the database."""
    if config["ENGINE"].endswith("sqlite3"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(config["NAME"] + suffix).unlink(missing_ok=True)
        return
    with server_cursor(NOBODY, config) as cursor:
        # Also where somebody is connected: a process that was killed may leave a session behind for a while.
        force = " WITH (FORCE)" if "postgresql" in config["ENGINE"] else ""
        cursor.execute(f"DROP DATABASE IF EXISTS {cursor.db.ops.quote_name(config['NAME'])}{force}")


def database_exists(config: dict[str, Any]) -> bool:
    """Look for the database."""
    if config["ENGINE"].endswith("sqlite3"):
        return Path(config["NAME"]).exists()
    with server_cursor(NOBODY, config) as cursor:
        if "mysql" in config["ENGINE"]:
            cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [config["NAME"]])
        else:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [config["NAME"]])
        return cursor.fetchone() is not None
