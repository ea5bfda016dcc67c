"""A tenant's database says whose it is and what it has: another's is never read, and one that lags is said to lag."""

from __future__ import annotations

import uuid
from unittest import mock

from django.core.management import call_command
from django.db import connections

from databases.models import Tenant
from databases.tenants import history, identity
from databases.tenants.identity import TenantBehindError, WrongDatabaseError
from databases.tenants.lifecycle import create_tenant
from databases.tenants.upkeep import settings_of

from .scratch_server import ScratchServerTestCase
from .test_tenant_requests import responses


class IdentityTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        self.tenant = create_tenant(self.new_slug())
        self.forget()

    def forget(self) -> None:
        """Have the next query open a connection, as another process would."""
        del connections[self.tenant.alias]

    def change(self, sql: str, *params: object) -> None:
        config = settings_of(self.tenant)
        with connections.instead(self.tenant.alias, config) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)
        self.forget()

    def ask(self) -> None:
        with connections[self.tenant.alias].cursor() as cursor:
            cursor.execute("SELECT 1")

    def statuses(self) -> list[int]:
        return [response.status_code for _, response in responses("/data-points/", f"{self.tenant.slug}.testserver")]

    def test_its_own_database_is_served(self):
        self.ask()
        self.assertEqual(self.statuses(), [200, 200])

    def test_the_database_of_another_is_refused_each_time(self):
        self.change("UPDATE tenant_identity SET uid = %s, slug = 'other'", uuid.uuid4().hex)
        for _ in range(2):
            with self.assertRaisesMessage(WrongDatabaseError, "belongs to 'other'"):
                self.ask()
            self.assertIsNone(connections[self.tenant.alias].connection)
        self.assertNotIn(200, self.statuses())

    def test_nothing_is_done_to_the_database_of_another(self):
        self.change("UPDATE tenant_identity SET uid = %s, slug = 'other'", uuid.uuid4().hex)
        Tenant.objects.filter(pk=self.tenant.pk).update(status=Tenant.Status.PENDING)
        with self.assertRaises(WrongDatabaseError):
            create_tenant(self.tenant.slug)
        self.assertEqual(Tenant.objects.get(pk=self.tenant.pk).status, Tenant.Status.PENDING)

    def test_one_that_lags_is_a_503_until_it_is_migrated(self):
        with connections.instead(self.tenant.alias, settings_of(self.tenant)):
            call_command("migrate", "projects", "zero", database=self.tenant.alias, verbosity=0)
        self.change("UPDATE tenant_identity SET migrations = 'before'")
        with self.assertRaisesMessage(TenantBehindError, "projects.0001_initial"):
            self.ask()
        self.assertEqual(self.statuses(), [503, 503])
        call_command("migrate_tenants", verbosity=0, stdout=mock.Mock(isatty=lambda: False))
        self.forget()
        self.assertEqual(self.statuses(), [200, 200])

    def test_one_that_lags_no_further_than_the_release_allows_is_served(self):
        self.change("UPDATE tenant_identity SET migrations = 'before'")
        self.change("DELETE FROM django_migrations WHERE app = 'projects'")
        with self.settings(TENANT_OLDEST_MIGRATIONS={"projects": None}):
            with self.assertLogs("databases.tenants.identity", "WARNING") as logs:
                self.ask()
            self.assertIn("run `migrate_tenants`", logs.output[0])

    def test_one_that_does_not_say_whose_it_is_is_served_and_told_by_the_next_run(self):
        self.change("DROP TABLE tenant_identity")
        with self.assertLogs("databases.tenants.identity", "WARNING") as logs:
            self.ask()
        self.assertIn("does not say whose it is", logs.output[0])
        call_command("migrate_tenants", stdout=mock.Mock(isatty=lambda: False))
        with connections.instead(self.tenant.alias, settings_of(self.tenant)) as connection:
            expected = (self.tenant.slug, self.tenant.uid.hex, history.fingerprint())
            self.assertEqual(identity.read(connection), expected)
