"""System checks of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.utils import CursorWrapper

from databases.fleet.usage import cursor_on

PUBLIC_MAY_CONNECT = """
SELECT datname, current_user FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
WHERE datname = current_database() AND grantee = 0 AND privilege_type = 'CONNECT'
"""


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_room)
    checks.register(check_registry, checks.Tags.database, deploy=True)


def check_registry(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Return a warning for the registry's database, and for `postgres` of each server, if every user may connect."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    found: list[checks.CheckMessage] = []
    # Checks also run where no database answers.
    with suppress(OperationalError), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        if cursor.db.vendor == "postgresql":
            found += _warnings(cursor, "the database of the registry")
    for server in settings.TENANT_SERVERS:
        # A deploy does not need all servers of tenants.
        with suppress(OperationalError), cursor_on(server) as cursor:
            found += _warnings(cursor, f"on the server {server!r} of tenants")
    return found


def _warnings(cursor: CursorWrapper, what: str) -> list[checks.CheckMessage]:
    cursor.execute(PUBLIC_MAY_CONNECT)
    return [
        checks.Warning(
            f"Every user of its server may connect to {name!r}, {what}, tenants' users included.",
            hint=f'As its owner, run GRANT CONNECT ON DATABASE "{name}" TO "{user}"; '
            f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC.',
            id="databases.W008",
        )
        for name, user in cursor.fetchall()
    ]


def check_room(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each entry of `TENANT_ROOM` for an unknown server, or that is no number of tenants."""
    return [
        checks.Error(
            f"TENANT_ROOM[{server!r}] is {room!r}, "
            + ("not a number of tenants." if server in settings.TENANT_SERVERS else "but there is no such server."),
            hint="In TENANT_ROOM (databases.py), map the name of a server in TENANT_SERVERS to the number of tenants "
            "that it is meant for, 0 or more.",
            id="databases.E023",
        )
        for server, room in settings.TENANT_ROOM.items()
        # True and False are numbers in Python.
        if server not in settings.TENANT_SERVERS or type(room) is not int or room < 0
    ]
