"""Makes the database of a tenant and brings its tables up to date. Both may be done again at any time."""

from __future__ import annotations

from pathlib import Path

from django.core.management import call_command
from django.db import connections


def make_ready(alias: str) -> None:
    """Create the tenant's database where it is missing, and migrate it. Raises Django's database errors."""
    create_database(alias)
    migrate(alias)


def create_database(alias: str) -> None:
    """Create the database that an alias names, on its server, where it is missing."""
    connection = connections[alias]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        # SQLite makes the file itself, but not its folder.
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        return
    quoted = connection.ops.quote_name(name)
    with connection._nodb_cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4")
            return
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {quoted}")


def migrate(alias: str) -> None:
    """Apply the migrations that the tenant's database lacks."""
    call_command("migrate", database=alias, verbosity=0, interactive=False)
