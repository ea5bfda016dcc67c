"""Databases that are prepared for new tenants: copies of the template, which only need a new name."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Any

from django.db import DatabaseError
from django.db.backends.utils import CursorWrapper

from databases.tenants.managed import provision, template
from databases.tenants.managed.maintenance import maintenance_connection, server_cursor
from databases.tenants.managed.migration_history import fingerprint


def install() -> None:
    """Have `create_tenant` take a prepared database where there is one."""
    if take not in provision.sources:
        provision.sources.append(take)


def take(config: dict[str, Any], server: str, cursor: CursorWrapper) -> bool:
    """Rename a prepared database to the name in these settings, and return whether there was one.

    Arguments: the settings of a database that does not exist, the name of its server, and a cursor on that server.
    """
    quote = cursor.db.ops.quote_name
    for name in names(server, cursor):
        # Another process may have taken this one. If the server refuses for another reason, `create_tenant`'s next
        # way, copying the template, fails for it too.
        with suppress(DatabaseError):
            cursor.execute(f"ALTER DATABASE {quote(name)} RENAME TO {quote(config['NAME'])}")
            return True
    return False


def fill(server: str, number: int) -> int:
    """Prepare databases until a server has this number, and return how many were made. Raises database errors."""
    source = template.build(server)
    missing = number - len(names(server))
    for _ in range(missing):
        config = template.template_settings(server, f"{_beginning()}{secrets.token_hex(4)}")
        with server_cursor(template.ALIAS, config) as cursor:
            quote = cursor.db.ops.quote_name
            cursor.execute(f"CREATE DATABASE {quote(config['NAME'])} TEMPLATE {quote(source['NAME'])}")
        with maintenance_connection(template.ALIAS, config) as connection:
            # The first session in a database fills caches of the server, and takes twice as long as later ones.
            connection.ensure_connection()
    return max(0, missing)


def names(server: str, cursor: CursorWrapper | None = None) -> list[str]:
    """Return the names of a server's prepared databases of this release. Argument `cursor`: one on that server."""
    return template.template_names(server, _beginning(), cursor)


def _beginning() -> str:
    # Like the name of a template: no tenant can have it, and a new release's template drops it with the old one.
    return f"{template.TEMPLATE}{fingerprint()}_r"
