"""Each tenant's database has a row that names its tenant and its migrations. Other databases are refused."""

from __future__ import annotations

import uuid
from unittest import mock

from django.core.management import call_command
from django.db import connections

from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed import identity, migration_history
from databases.tenants.managed.identity import TenantBehindError, WrongDatabaseError
from databases.tenants.managed.tests.older_release import remove_points
from databases.tenants.models import Tenant
from databases.tenants.tests.scratch_server import ScratchServerTestCase
from databases.tenants.tests.site import PAGE, own_site
from databases.tenants.tests.two_tenants import responses


@own_site
class IdentityTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        self.tenant = create_tenant(self.new_slug())
        self.forget()

    def forget(self) -> None:
        """Close the connections, so that the next query opens one like another process."""
        self.close_connections()

    def change(self, sql: str, *params: object) -> None:
        config = maintenance_settings(self.tenant)
        with maintenance_connection(self.tenant.alias, config) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)
        self.forget()

    def ask(self) -> None:
        with connections[self.tenant.alias].cursor() as cursor:
            cursor.execute("SELECT 1")

    def statuses(self) -> list[int]:
        return [response.status_code for _, response in responses(PAGE, f"{self.tenant.slug}.testserver")]

    def test_a_tenants_own_database_is_served(self):
        self.ask()
        self.assertEqual(self.statuses(), [200, 200])

    def test_the_database_of_another_tenant_is_refused_each_time(self):
        self.change("UPDATE tenant_identity SET uid = %s, slug = 'other'", uuid.uuid4().hex)
        for _ in range(2):
            with self.assertRaisesMessage(WrongDatabaseError, "belongs to 'other'"):
                self.ask()
            self.assertIsNone(connections[self.tenant.alias].connection)
        self.assertNotIn(200, self.statuses())

    def test_create_tenant_leaves_the_database_of_another_tenant_alone(self):
        self.change("UPDATE tenant_identity SET uid = %s, slug = 'other'", uuid.uuid4().hex)
        Tenant.objects.filter(pk=self.tenant.pk).update(status=Tenant.Status.PENDING)
        with self.assertRaises(WrongDatabaseError):
            create_tenant(self.tenant.slug)
        self.assertEqual(Tenant.objects.get(pk=self.tenant.pk).status, Tenant.Status.PENDING)

    def test_a_database_that_is_behind_is_a_503_until_it_is_migrated(self):
        remove_points(self.tenant)
        self.change("UPDATE tenant_identity SET migrations = 'before'")
        with self.assertRaisesMessage(TenantBehindError, "layer_points.0001_initial"):
            self.ask()
        self.assertEqual(self.statuses(), [503, 503])
        call_command("migrate_tenants", verbosity=0, stdout=mock.Mock(isatty=lambda: False))
        self.forget()
        self.assertEqual(self.statuses(), [200, 200])

    def test_a_database_that_has_the_oldest_allowed_migration_is_served(self):
        self.change("UPDATE tenant_identity SET migrations = 'before'")
        self.change("DELETE FROM django_migrations WHERE app = 'layer_points'")
        with self.settings(TENANT_OLDEST_MIGRATIONS={"layer_points": None}):
            with self.assertLogs("databases.tenants.managed.identity", "WARNING") as logs:
                self.ask()
            self.assertIn("run `migrate_tenants`", logs.output[0])

    def test_a_missing_identity_row_is_written_by_migrate_tenants(self):
        self.change("DROP TABLE tenant_identity")
        with self.assertLogs("databases.tenants.managed.identity", "WARNING") as logs:
            self.ask()
        self.assertIn("has no identity row", logs.output[0])
        self.forget()
        call_command("migrate_tenants", stdout=mock.Mock(isatty=lambda: False))
        with maintenance_connection(self.tenant.alias, maintenance_settings(self.tenant)) as connection:
            expected = (self.tenant.slug, self.tenant.uid.hex, migration_history.fingerprint())
            self.assertEqual(identity.read(connection), expected)
