"""`migrate_tenants`, and tenants that are moved or archived meanwhile."""

from __future__ import annotations

from databases.fleet.states import FleetStatus
from databases.tenants import transitions
from databases.tenants.maintenance import maintenance_settings
from databases.tenants.managed import ddl, migrate, provision
from databases.tenants.managed.tests.test_migrate import MigrateTestCase
from databases.tenants.models import Tenant


class MigrateTenantsTests(MigrateTestCase):
    def test_a_moving_tenant_fails_and_an_archived_one_is_not_listed(self):
        Tenant.objects.filter(slug=self.first).update(status=FleetStatus.MOVING)
        Tenant.objects.filter(slug=self.second).update(status=FleetStatus.ARCHIVED)
        (line,) = self.migrate()
        self.assertIn(f"{self.first}: failed: it is moving", line)
        (result,) = provision.migrate_databases(pending_only=True)
        self.assertIn("it is moving: run `move_tenant` again", result.error)
        self.migrate(self.second)
        self.assertIn(self.second, self.failure)

    def test_a_tenant_archived_after_it_was_listed_gets_no_database(self):
        config = maintenance_settings(Tenant.objects.get(slug=self.second))
        outcomes = migrate.migrate_all(list(Tenant.objects.all()))
        self.assertEqual(next(outcomes).error, "")
        transitions.change(self.second, "archive")
        ddl.drop_database(config)
        self.assertIn("it is archiving", next(outcomes).error)
        self.assertFalse(ddl.database_exists(config))
