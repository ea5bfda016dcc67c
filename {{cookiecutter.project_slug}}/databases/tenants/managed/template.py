"""The template database of a server: it is migrated once, and the databases of new tenants are copies of it.

Its name has the fingerprint of its migrations, so a template of another release is never used. MySQL cannot copy a
database: there each new tenant's database is migrated.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.db.backends.utils import CursorWrapper

from databases.tenants.managed import identity
from databases.tenants.managed.ddl import create_database, database_exists, drop_database
from databases.tenants.managed.maintenance import maintenance_connection, server_cursor
from databases.tenants.managed.migration_history import fingerprint

#: The beginning of the names of template databases.
TEMPLATE = "tenant_template_"
#: It is no tenant's alias: slugs have no underscore.
ALIAS = "tenant_template_"


def can_copy(config: dict[str, Any]) -> bool:
    """Return whether databases of this engine can be copied."""
    return not config["ENGINE"].endswith("mysql")


def copy_to(config: dict[str, Any], server: str, cursor: CursorWrapper | None) -> None:
    """Make the database of these settings, which must not exist, as a copy of the server's template.

    Arguments: the settings, the name of the server, and the cursor of `ddl.session`. Builds the template if this
    release has none. Raises `OSError` and Django's database errors.
    """
    if cursor is None:
        _copy_file(build(server)["NAME"], config["NAME"])
        return
    quote = cursor.db.ops.quote_name
    copying = f"CREATE DATABASE {quote(config['NAME'])} TEMPLATE {quote(_template(server)['NAME'])}"
    try:
        cursor.execute(copying)
    except DatabaseError:
        # Usually this release has no template yet. Any other error is raised again by the second attempt.
        build(server)
        cursor.execute(copying)


def build(server: str) -> dict[str, Any]:
    """Make a server's template if it does not exist, drop templates of other releases, and return its settings."""
    config = _template(server)
    if database_exists(config):
        return config
    with _only_builder(config):
        if database_exists(config):
            return config
        unfinished = template_settings(server, f"{TEMPLATE}{fingerprint()}_new")
        drop_database(unfinished)
        create_database(unfinished)
        with maintenance_connection(ALIAS, unfinished) as connection:
            call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
            identity.make_table(connection)
        _finish(unfinished, config)
        for name in template_names(server, TEMPLATE):
            if fingerprint() not in name:
                drop_database({**config, "NAME": name})
    return config


def config_is_file(config: dict[str, Any]) -> bool:
    """Return whether these are the settings of a file."""
    return bool(config["ENGINE"].endswith("sqlite3"))


def template_settings(server: str, name: str) -> dict[str, Any]:
    """Return the settings of a database of this name on a server, as its admin user."""
    config = settings.TENANT_SERVERS[server]
    filled: dict[str, Any] = connections.configure_settings(
        {"default": {}, ALIAS: {**config, "NAME": config["NAME"].replace("{name}", name)}}
    )[ALIAS]
    return filled


def _template(server: str) -> dict[str, Any]:
    return template_settings(server, f"{TEMPLATE}{fingerprint()}")


def template_names(server: str, beginning: str, cursor: CursorWrapper | None = None) -> list[str]:
    """Return the names of databases on a server with this beginning. `cursor`: one on that server, if there is one."""
    config = template_settings(server, beginning)
    if config_is_file(config):
        path = Path(config["NAME"])
        beginning = path.name.partition(beginning)[0] + beginning
        return [str(file) for file in path.parent.glob("*") if file.name.startswith(beginning)]
    if cursor is None:
        with server_cursor(ALIAS, config) as cursor:
            return template_names(server, beginning, cursor)
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [config["NAME"]])
    return [name for (name,) in cursor.fetchall()]


@contextmanager
def _only_builder(config: dict[str, Any]) -> Iterator[None]:
    """Within the block, no other process builds this template. Waits until another process has finished."""
    if config_is_file(config):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(f"{config['NAME']}.lock", timeout=600, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
        return
    with server_cursor(ALIAS, config) as cursor:
        key = int.from_bytes(hashlib.sha256(config["NAME"].encode()).digest()[:7], "big")
        # The lock ends with the session. Source: PostgreSQL manual, 13.3.5.
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
        yield


def _finish(unfinished: dict[str, Any], config: dict[str, Any]) -> None:
    if config_is_file(config):
        Path(unfinished["NAME"]).replace(config["NAME"])
        return
    with server_cursor(ALIAS, config) as cursor:
        quote = cursor.db.ops.quote_name
        # A database with sessions cannot be copied. Source: PostgreSQL manual, 23.3.
        cursor.execute(f"ALTER DATABASE {quote(unfinished['NAME'])} ALLOW_CONNECTIONS false")
        cursor.execute(f"ALTER DATABASE {quote(unfinished['NAME'])} RENAME TO {quote(config['NAME'])}")


def _copy_file(source: str, target: str) -> None:
    unfinished = Path(f"{target}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, unfinished)
        # os.link() fails if the target exists; a rename would replace it.
        os.link(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
