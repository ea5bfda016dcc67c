"""Databases that new tenants are copied from: one that is migrated and belongs to nobody, and spares of it.

Their names say which migrations they have, so those of another release are never taken. MySQL has no copies of
databases: there each tenant is migrated by itself.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.db.backends.utils import CursorWrapper

from . import identity
from .engines import create_database, database_exists, drop_database
from .history import fingerprint
from .registry import SPARE, TEMPLATE
from .upkeep import connected, server_cursor

#: No tenant's: slugs hold no underscore.
ALIAS = "tenant_upkeep_"


def can_copy(config: dict[str, Any]) -> bool:
    """Return whether databases of this engine can be copied."""
    return not config["ENGINE"].endswith("mysql")


def copy_to(config: dict[str, Any], server: str, cursor: CursorWrapper | None) -> None:
    """Make the database of these settings, which must not exist, from a spare or from the server's template.

    Arguments: the settings, the name of the server, and what `engines.session` gives for it. Builds the template where
    it is missing or of another release. Raises `OSError` and Django's database errors.
    """
    if cursor is None:
        _copy_file(build(server)["NAME"], config["NAME"])
        return
    quote = cursor.db.ops.quote_name
    for spare in spares(server, cursor):
        # Somebody else may have taken this one; if it is something else, the copy fails of it too.
        with suppress(DatabaseError):
            cursor.execute(f"ALTER DATABASE {quote(spare)} RENAME TO {quote(config['NAME'])}")
            return
    copying = f"CREATE DATABASE {quote(config['NAME'])} TEMPLATE {quote(_template(server)['NAME'])}"
    try:
        cursor.execute(copying)
    except DatabaseError:
        # Mostly because this release has no template yet; whatever else it was shows again.
        build(server)
        cursor.execute(copying)


def build(server: str) -> dict[str, Any]:
    """Return the settings of a server's template, which is made where it is missing; those of other releases go."""
    config = _template(server)
    if database_exists(config):
        return config
    with _only_builder(config):
        if database_exists(config):
            return config
        unfinished = _settings(server, f"{TEMPLATE}{fingerprint()}_new")
        drop_database(unfinished)
        create_database(unfinished)
        with connected(ALIAS, unfinished) as connection:
            call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
            identity.make_table(connection)
        _finish(unfinished, config)
        for name in _names(server, TEMPLATE) + _names(server, SPARE):
            if fingerprint() not in name:
                drop_database({**config, "NAME": name})
    return config


def fill_spares(server: str, number: int) -> int:
    """Have a number of spares ready on a server, and return how many were made. Raises like `copy_to`."""
    template = build(server)
    if config_is_file(template):
        # A file is copied as fast as it is renamed.
        return 0
    missing = number - len(spares(server))
    for _ in range(missing):
        spare = _settings(server, f"{SPARE}{fingerprint()}_{secrets.token_hex(4)}")
        with server_cursor(ALIAS, spare) as cursor:
            quote = cursor.db.ops.quote_name
            cursor.execute(f"CREATE DATABASE {quote(spare['NAME'])} TEMPLATE {quote(template['NAME'])}")
        with connected(ALIAS, spare) as connection:
            # The first session in a database writes what later ones begin with, and takes twice as long.
            connection.ensure_connection()
    return max(0, missing)


def spares(server: str, cursor: CursorWrapper | None = None) -> list[str]:
    """Return the names of the spares on a server that this release may take. Argument `cursor`: one on that server."""
    return _names(server, f"{SPARE}{fingerprint()}_", cursor)


def config_is_file(config: dict[str, Any]) -> bool:
    """Return whether these are the settings of a file."""
    return bool(config["ENGINE"].endswith("sqlite3"))


def _settings(server: str, name: str) -> dict[str, Any]:
    config = settings.TENANT_SERVERS[server]
    filled: dict[str, Any] = connections.configure_settings(
        {"default": {}, ALIAS: {**config, "NAME": config["NAME"].replace("{name}", name)}}
    )[ALIAS]
    return filled


def _template(server: str) -> dict[str, Any]:
    return _settings(server, f"{TEMPLATE}{fingerprint()}")


def _names(server: str, beginning: str, cursor: CursorWrapper | None = None) -> list[str]:
    config = _settings(server, beginning)
    if config_is_file(config):
        path = Path(config["NAME"])
        beginning = path.name.partition(beginning)[0] + beginning
        return [str(file) for file in path.parent.glob("*") if file.name.startswith(beginning)]
    if cursor is None:
        with server_cursor(ALIAS, config) as cursor:
            return _names(server, beginning, cursor)
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [config["NAME"]])
    return [name for (name,) in cursor.fetchall()]


@contextmanager
def _only_builder(config: dict[str, Any]) -> Iterator[None]:
    """Within the block, no other process is in one for the same template; this one waits for it."""
    if config_is_file(config):
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(f"{config['NAME']}.lock", timeout=600, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
        return
    with server_cursor(ALIAS, config) as cursor:
        key = int.from_bytes(hashlib.sha256(config["NAME"].encode()).digest()[:7], "big")
        # It ends with the session. PostgreSQL manual, 13.3.5.
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
        yield


def _finish(unfinished: dict[str, Any], config: dict[str, Any]) -> None:
    if config_is_file(config):
        Path(unfinished["NAME"]).replace(config["NAME"])
        return
    with server_cursor(ALIAS, config) as cursor:
        quote = cursor.db.ops.quote_name
        # Nobody may be connected to what is copied. PostgreSQL manual, 23.3.
        cursor.execute(f"ALTER DATABASE {quote(unfinished['NAME'])} ALLOW_CONNECTIONS false")
        cursor.execute(f"ALTER DATABASE {quote(unfinished['NAME'])} RENAME TO {quote(config['NAME'])}")


def _copy_file(source: str, target: str) -> None:
    unfinished = Path(f"{target}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, unfinished)
        # Fails where the target exists, instead of replacing it.
        os.link(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
