"""Any number of tenants that no setting lists. The connections of all of them lead to one database."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

from django.db import connections
from django.db.backends.signals import connection_created
from django.test import TestCase, override_settings

from databases.tenants import UnknownTenantError
from databases.tenants.backends import wrapper
from databases.tenants.leases import opened
from databases.tenants.models import Tenant
from databases.tenants.pool import Pool
from databases.tenants.registry import TenantInfo
from databases.tenants.registry_cache import cache

ADDRESS = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")


class ManyTenantsTestCase(TestCase):
    """Has its own registry, which threads see too, and its own pool of connections: `self.pool`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = {key: connections["default"].settings_dict[key] for key in ADDRESS}
        if connections["default"].vendor == "sqlite":
            self.server["NAME"] = str(Path(folder.name) / "tenants.sqlite3")
            Path(self.server["NAME"]).touch()
        self.server["CONN_MAX_AGE"] = 60
        self.pool = Pool()
        self.tenants: dict[str, TenantInfo] = {}
        # `create_tenant` did not make these databases, so they have no identity row that could be checked.
        receivers = [
            each for each in connection_created.receivers if each[0][0] != "databases.tenants.managed.identity"
        ]
        for change in (
            mock.patch.object(connection_created, "receivers", receivers),
            override_settings(TENANT_SERVERS={"default": self.server, "twin": {**self.server}}),
            mock.patch.object(wrapper, "pool", self.pool),
            mock.patch.object(cache, "by_slug", self.find),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        self.addCleanup(self.pool.close_idle)
        self.addCleanup(connections_to_tenants_close)

    def find(self, slug: str) -> TenantInfo:
        if slug not in self.tenants:
            raise UnknownTenantError(slug)
        return self.tenants[slug]

    def register(self, number: int) -> list[str]:
        """Make a number of tenants, and return their aliases."""
        made = [Tenant(slug=f"number-{each}", database=f"number_{each}", status="active") for each in range(number)]
        self.tenants.update({tenant.slug: tenant.info for tenant in made})
        return [tenant.alias for tenant in made]


def connections_to_tenants_close() -> None:
    """Close this thread's connections to tenants that no setting lists, also in a transaction."""
    for alias in opened.aliases():
        connections[alias].close()
        del connections[alias]


def ask(alias: str) -> object:
    """Send a statement, and return the driver's connection that it was sent on."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.connection
