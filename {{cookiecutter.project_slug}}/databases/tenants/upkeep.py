"""Connections for upkeep: to databases that are not, or not yet, a tenant's, as the server's own user."""

from __future__ import annotations

# % if cookiecutter.__managed_tenants
import time
# % endif
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# % if cookiecutter.__managed_tenants
from django.conf import settings
# % endif
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
# % if cookiecutter.__managed_tenants
from django.db.backends.utils import CursorWrapper

from .registry import Tenant
# % endif
# % if cookiecutter.__managed_tenants


def settings_of(tenant: Tenant, *, server: str = "", database: str = "") -> dict[str, Any]:
    """Return the settings of a database of the tenant, its present one if none is named, as the server's own user.

    Raises what `Tenant.connection_settings` raises. A tenant's own user has no right to make or drop databases.
    """
    place = Tenant(slug=tenant.slug, server=server or tenant.server, database=database or tenant.database)
    return place.connection_settings()
# % endif


@contextmanager
def connected(alias: str, config: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """Within the block, a connection of its own to the database of these settings."""
    with connections.instead(alias, config) as connection:  # type: ignore[attr-defined]
        yield connection
# % if cookiecutter.__managed_tenants


@contextmanager
def server_cursor(alias: str, config: dict[str, Any]) -> Iterator[CursorWrapper]:
    """Within the block, a cursor on the server of these settings, in no tenant's database."""
    with connected(alias, config) as connection, connection._nodb_cursor() as cursor:
        yield cursor


def wait_until_all_know() -> None:
    """Wait as long as a process may go on with what it has read of the registry before."""
    # A little longer: a process may have read the old row just before the change, and connect a moment after that.
    time.sleep(settings.TENANT_CACHE_SECONDS * 1.5)
# % endif
