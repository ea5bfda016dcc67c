"""Maintenance connections, opened as the server's admin user. The database may not belong to a tenant yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from databases.tenants.registry import Tenant


def maintenance_settings(tenant: Tenant, *, server: str = "", database: str = "") -> dict[str, Any]:
    """Return the settings of a tenant's database as the server's admin user, who may make and drop databases.

    Arguments: the tenant, and another server and database than its current ones. Raises what
    `Tenant.connection_settings` raises.
    """
    row = Tenant(slug=tenant.slug, server=server or tenant.server, database=database or tenant.database)
    return row.connection_settings()


@contextmanager
def maintenance_connection(alias: str, config: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """Within the block, a separate connection with these settings."""
    with connections.override(alias, config) as connection:  # type: ignore[attr-defined]
        yield connection


@contextmanager
def server_cursor(alias: str, config: dict[str, Any]) -> Iterator[CursorWrapper]:
    """Within the block, a cursor on the server of these settings, outside of tenants' databases."""
    with maintenance_connection(alias, config) as connection, connection._nodb_cursor() as cursor:
        yield cursor
