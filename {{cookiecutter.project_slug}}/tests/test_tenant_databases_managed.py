"""Managed tenants: their databases are really made and migrated, on the test server."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from databases.models import Tenant
from databases.tenants import use_tenant
from projects.models import DataPoint

from .scratch_server import ScratchServerTestCase

#: Stands where migrating a new database fails half-way.
POWER_CUT = mock.patch("databases.tenants.provision.migrate", side_effect=DatabaseError("power cut"))


def tables(alias: str) -> set[str]:
    return set(connections[alias].introspection.table_names())


class CreateTenantTests(ScratchServerTestCase):
    def create(self, slug: str) -> str:
        stdout = StringIO()
        call_command("create_tenant", slug, stdout=stdout)
        return stdout.getvalue()

    def test_it_makes_a_database_with_the_tables_of_tenants_and_no_others(self):
        slug = self.new_slug()
        self.assertIn("active", self.create(slug))
        self.assertEqual(tables(f"tenant_{slug}"), {DataPoint._meta.db_table, "django_migrations"})
        with use_tenant(slug):
            DataPoint.objects.create(name="cake", value=1)
            self.assertEqual(DataPoint.objects.get().name, "cake")

    def test_a_second_run_changes_nothing(self):
        slug = self.new_slug()
        first = self.create(slug)
        with use_tenant(slug):
            DataPoint.objects.create(name="cake", value=1)
        self.assertEqual(self.create(slug), first)
        with use_tenant(slug):
            self.assertEqual(DataPoint.objects.get().name, "cake")
        self.assertEqual(Tenant.objects.filter(slug=slug).count(), 1)

    def test_a_second_run_leaves_a_suspended_tenant_suspended(self):
        slug = self.new_slug()
        self.create(slug)
        Tenant.objects.filter(slug=slug).update(status=Tenant.Status.SUSPENDED)
        self.assertIn("suspended", self.create(slug))

    def test_after_a_failure_half_way_the_tenant_is_pending_and_a_second_run_completes_it(self):
        slug = self.new_slug()
        with POWER_CUT, self.assertRaisesMessage(CommandError, f"{slug}: power cut"):
            self.create(slug)
        self.assertEqual(Tenant.objects.get(slug=slug).status, Tenant.Status.PENDING)
        self.assertNotIn(DataPoint._meta.db_table, tables(f"tenant_{slug}"))
        self.assertIn("active", self.create(slug))
        self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{slug}"))


class MigrateTenantsTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        self.first, self.second = sorted([self.new_slug(), self.new_slug()])
        for slug in (self.first, self.second):
            Tenant.objects.create(slug=slug, database=f"tenant_{slug}")

    def migrate(self, *slugs: str) -> list[str]:
        """Return the lines that `migrate_tenants` writes, also where it fails."""
        stdout = StringIO()
        self.failure = ""
        try:
            call_command("migrate_tenants", *slugs, stdout=stdout)
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue().splitlines()

    def test_each_tenant_is_migrated_and_reported(self):
        self.assertEqual(self.migrate(), [f"[1/2] {self.first}: done", f"[2/2] {self.second}: done"])
        for slug in (self.first, self.second):
            self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{slug}"))
        self.assertEqual(self.failure, "")

    def test_only_those_named_are_migrated(self):
        self.assertEqual(self.migrate(self.second), [f"[1/1] {self.second}: done"])
        self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{self.second}"))
        with mock.patch("databases.tenants.provision.migrate"):
            self.migrate(self.first)
        self.assertNotIn(DataPoint._meta.db_table, tables(f"tenant_{self.first}"))

    def test_one_that_fails_does_not_stop_the_others_and_a_second_run_completes_it(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        failed, done = self.migrate()
        self.assertIn(f"[1/2] {self.first}: failed: The server 'gone'", failed)
        self.assertEqual(done, f"[2/2] {self.second}: done")
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.first}")
        Tenant.objects.filter(slug=self.first).update(server="default")
        self.assertEqual(self.migrate(), [f"[1/2] {self.first}: done", f"[2/2] {self.second}: done"])
        self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{self.first}"))

    def test_an_unknown_tenant_stops_it_before_it_begins(self):
        self.assertEqual(self.migrate(self.first, "nobody"), [])
        self.assertIn("There is no tenant 'nobody'", self.failure)
