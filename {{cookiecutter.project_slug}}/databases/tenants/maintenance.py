"""Connections of commands: to servers as their own user, and to tenants' databases. None of them is the pool's."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import load_backend

from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

#: Seconds for which the server's user waits for a lock.
LOCK_SECONDS = 10
#: Seconds for an answer that a database gives at once, and for all work on one. A tenant's code could hang for ever.
SECONDS = {"answer": 60.0, "work": 24 * 3600.0}


def maintenance_settings(tenant: Tenant, *, server: str = "", database: str = "") -> dict[str, Any]:
    """Return the settings of a tenant's database as the server's user, who makes, closes and drops databases.

    Inside of it this user would run code of the tenant: see `inside`. Arguments: the tenant, and another server and
    database than its current ones. Raises what `Tenant.connection_settings` raises.
    """
    row = Tenant(slug=tenant.slug, server=server or tenant.server, database=database or tenant.database)
    return row.connection_settings()


@contextmanager
def maintenance_connection(alias: str, config: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """Within the block, this thread's connection of the alias is a new one with these settings.

    It is none of the pool's, and nothing checks whose database it reaches.
    """
    connection: BaseDatabaseWrapper = load_backend(config["ENGINE"]).DatabaseWrapper(config, alias)
    # Not connections[alias], which would make one.
    before = getattr(connections._connections, alias, None)  # type: ignore[attr-defined]
    connections[alias] = connection
    try:
        yield connection
    finally:
        connection.close()
        if before is None:
            del connections[alias]
        else:
            connections[alias] = before


@contextmanager
def maintenance_cursor(alias: str, config: dict[str, Any]) -> Iterator[CursorWrapper]:
    """Within the block, a cursor of such a connection."""
    with maintenance_connection(alias, config) as connection, connection.cursor() as cursor:
        yield cursor


@contextmanager
def server_cursor(alias: str, config: dict[str, Any]) -> Iterator[CursorWrapper]:
    """Within the block, a cursor on the server of these settings, outside of tenants' databases."""
    if "postgresql" in config["ENGINE"]:
        # Not Django's own, which takes any database, perhaps a tenant's, if it does not get into this one.
        with maintenance_cursor(alias, {**config, "NAME": "postgres"}) as cursor:
            # Others may be allowed to make functions and operators there, which would run as the server's user. And a
            # tenant's session may hold its own role or database, for example by ALTER ROLE in an open transaction.
            cursor.execute(f"SET search_path = pg_catalog; SET lock_timeout = '{LOCK_SECONDS}s'")
            yield cursor
        return
    with maintenance_connection(alias, config) as connection, connection._nodb_cursor() as cursor:
        yield cursor


@contextmanager
def inside(tenant: Tenant, limit: str = "work") -> Iterator[BaseDatabaseWrapper]:
    """Within the block, this thread has a maintenance connection to a tenant's database, as the tenant's own user.

    A tenant without a user is reached as the server's user. Raises what `Tenant.connection_settings` raises, and like
    `deadline`, whose limit the argument names.
    """
    with maintenance_connection(tenant.alias, tenant.connection_settings()) as connection, deadline(connection, limit):
        yield connection


@contextmanager
def deadline(connection: BaseDatabaseWrapper, limit: str) -> Iterator[None]:
    """Cut a connection to PostgreSQL off if the block takes longer than this limit in `SECONDS`. Raises `TenantError`.

    `statement_timeout` is no limit for a tenant: its code can change it, and catch its error.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with (
            suppress(AttributeError, OSError, Error),
            socket.socket(fileno=os.dup(connection.connection.fileno())) as it,
        ):
            it.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(SECONDS[limit], cut)
    timer.daemon = True
    if connection.vendor == "postgresql":
        timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            why = f"its database did not answer within {SECONDS[limit]:g} s: check its server, and run this again"
            raise TenantError(why) from error
        raise
    finally:
        timer.cancel()
