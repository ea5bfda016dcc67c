"""The template database of a server: it is migrated once, and the databases of new tenants are copies of it.

Its name has the fingerprint of its migrations, so a template of another release is never used. Where MySQL cannot copy
a database, or a migration asks for its tenant, each new tenant's database is migrated instead.
"""

from __future__ import annotations

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
from django.db import DatabaseError, OperationalError, connections
from django.db.backends.utils import CursorWrapper

from databases.locks import lock
from databases.tenants.context import TEMPLATE_TENANT, TemplateTenantError, tenant_block
from databases.tenants.maintenance import maintenance_connection, server_cursor
from databases.tenants.managed import identity, owners
from databases.tenants.managed.ddl import create_database, database_exists, drop_database
from databases.tenants.managed.migration_history import fingerprint

#: The beginning of the names of template databases.
TEMPLATE = "tenant_template_"
#: It is no tenant's alias: slugs have no underscore.
ALIAS = "tenant_template_"


def can_copy(config: dict[str, Any]) -> bool:
    """Return whether databases of this engine can be copied."""
    return not config["ENGINE"].endswith("mysql")


def exists(server: str) -> bool:
    """Return whether a server has the template of this release. Raises Django's database errors."""
    return can_copy(_template(server)) and database_exists(_template(server))


def copy_to(config: dict[str, Any], server: str, cursor: CursorWrapper | None, owner: str = "") -> None:
    """Make the database of these settings, which must not exist, as a copy of the server's template.

    Arguments: the settings, the name of the server, the cursor of `ddl.session`, and the owner if it is not the
    server's user. Builds the template if this release has none. Raises what `build` raises.
    """
    if cursor is None:
        _copy_file(build(server)["NAME"], config["NAME"])
        return
    quote = cursor.db.ops.quote_name
    copying = f"CREATE DATABASE {quote(config['NAME'])} TEMPLATE {quote(_template(server)['NAME'])}"
    copying += (f" OWNER {quote(owner)}" if owner else "") + owners.owner().options
    try:
        cursor.execute(copying)
    except DatabaseError:
        # Usually this release has no template yet. Any other error is raised again by the second attempt.
        build(server)
        cursor.execute(copying)


def build(server: str) -> dict[str, Any]:
    """Make a server's template if it does not exist, drop templates of other releases, and return its settings.

    Raises `TemplateTenantError`, `OSError` and Django's database errors.
    """
    config, refused = _template(server), template_settings(server, f"{TEMPLATE}{fingerprint()}_each")
    if not _is_built(config, refused):
        with _only_builder(config):
            if not _is_built(config, refused):
                _build(server, config, refused)
    return config


def _is_built(config: dict[str, Any], refused: dict[str, Any]) -> bool:
    if database_exists(refused):
        raise TemplateTenantError("A migration of this release asks for the current tenant: there is no template.")
    return database_exists(config)


def _build(server: str, config: dict[str, Any], refused: dict[str, Any]) -> None:
    unfinished = template_settings(server, f"{TEMPLATE}{fingerprint()}_new")
    drop_database(unfinished)
    create_database(unfinished, options=owners.owner().options)
    try:
        filling = owners.owner().template_settings(unfinished)
        with maintenance_connection(ALIAS, filling) as connection, tenant_block(TEMPLATE_TENANT):
            call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
            identity.make_table(connection)
        _finish(unfinished, config)
    except TemplateTenantError:
        # Kept under this name, so that the next tenant does not try again.
        _finish(unfinished, refused)
    for name in template_names(server, TEMPLATE):
        if fingerprint() not in name:
            drop_database({**config, "NAME": name})
    _is_built(config, refused)


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
        with closing(sqlite3.connect(f"{config['NAME']}.lock", timeout=600, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            yield
        return
    busy = OperationalError(
        "Another process has been building the template of tenants' databases for ten minutes: wait until it ends, and "
        "run this again."
    )
    with server_cursor(ALIAS, config) as cursor, lock(cursor.db, config["NAME"], busy, wait=600):
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
