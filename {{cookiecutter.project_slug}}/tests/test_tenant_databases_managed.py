"""Managed tenants: their databases are really made and migrated, on the test server."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.test import override_settings

from databases.models import Tenant, TenantCopy
from databases.tenants import provision, template, use_tenant
from databases.tenants.engines import create_database, database_exists, drop_database
from databases.tenants.identity import TABLE
from databases.tenants.lifecycle import create_tenant
from databases.tenants.upkeep import settings_of
from projects.models import DataPoint

from .scratch_server import ScratchServerTestCase

#: Stands where the database of a new tenant is there, and does not yet say whose it is.
POWER_CUT = mock.patch("databases.tenants.provision.identity.write", side_effect=DatabaseError("power cut"))


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
        self.assertEqual(tables(f"tenant_{slug}"), {DataPoint._meta.db_table, "django_migrations", TABLE})
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
        self.assertIn("active", self.create(slug))
        self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{slug}"))

    def test_what_a_run_was_making_when_it_was_killed_is_made_anew(self):
        """As MySQL keeps it, which has no transactions of such statements: tables are there that no record tells of."""

        def forget_and_end(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE app = 'projects'")
            raise SystemExit

        slug = self.new_slug()
        with mock.patch.object(provision.identity, "write", forget_and_end), self.assertRaises(SystemExit):
            self.create(slug)
        self.assertIn("active", self.create(slug))
        with use_tenant(slug):
            self.assertEqual(DataPoint.objects.count(), 0)
        self.assertFalse(TenantCopy.objects.exists())

    def test_a_database_that_somebody_else_has_made_is_kept_whatever_fails(self):
        slug = self.new_slug()
        config = settings_of(Tenant(slug=slug, database=f"tenant_{slug}"))
        create_database(config)
        with connections.instead(f"tenant_{slug}", config) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE theirs (id integer)")
        with POWER_CUT, self.assertRaises(CommandError):
            self.create(slug)
        self.create(slug)
        self.assertIn("theirs", tables(f"tenant_{slug}"))

    def test_a_database_that_says_whose_it_is_is_not_made_anew(self):
        slug = self.new_slug()
        self.create(slug)
        with use_tenant(slug):
            DataPoint.objects.create(name="cake", value=1)
        # As a run leaves it that ends just before it opens the tenant's pages.
        tenant = Tenant.objects.get(slug=slug)
        Tenant.objects.update(status=Tenant.Status.PENDING)
        TenantCopy.objects.create(
            tenant=tenant, kind=TenantCopy.Kind.NEW, server=tenant.server, database=tenant.database
        )
        self.assertIn("active", self.create(slug))
        with use_tenant(slug):
            self.assertEqual(DataPoint.objects.count(), 1)


class TemplateTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        self.copies = template.can_copy(settings.TENANT_SERVERS["default"])

    def create(self) -> Tenant:
        return create_tenant(self.new_slug())

    def test_only_the_first_tenant_is_migrated(self):
        with (
            mock.patch.object(template, "call_command", wraps=template.call_command) as of_template,
            mock.patch.object(provision, "migrate_database", wraps=provision.migrate_database) as of_tenant,
        ):
            made = [self.create() for _ in range(3)]
        self.assertEqual((of_template.call_count, of_tenant.call_count), (1, 0) if self.copies else (0, 3))
        for tenant in made:
            with use_tenant(tenant.slug):
                DataPoint.objects.create(name=tenant.slug, value=1)
                self.assertEqual(DataPoint.objects.get().name, tenant.slug)

    def test_the_template_is_of_the_present_migrations(self):
        if not self.copies:
            return
        self.create()
        before = template.build("default")["NAME"]
        with mock.patch.object(template, "fingerprint", return_value="another"):
            self.create()
            self.assertNotEqual(template.build("default")["NAME"], before)
        with mock.patch.object(template, "call_command", wraps=template.call_command) as migrated:
            template.build("default")
        self.assertEqual(migrated.call_count, 1, "the one of other migrations was dropped")

    def test_what_is_half_made_is_made_anew(self):
        if not self.copies:
            return
        with mock.patch.object(template, "_finish", side_effect=OSError("power cut")), self.assertRaises(OSError):
            self.create()
        self.assertEqual(self.create().status, Tenant.Status.ACTIVE)

    def test_a_spare_is_taken_before_a_copy_is_made(self):
        if not self.copies:
            return
        made = template.fill_spares("default", 2)
        spares = template.spares("default")
        self.assertEqual(made, len(spares))
        self.create()
        self.assertEqual(len(template.spares("default")), max(0, made - 1))
        self.assertEqual(template.fill_spares("default", 2), min(made, 1))

    def test_no_tenant_is_given_the_name_of_a_template(self):
        for name in ("tenant_template_x", "Tenant_Spare_x"):
            with self.assertRaisesMessage(ValueError, "tenants are copied from"):
                create_tenant(self.new_slug(), database=name)


class DroppedDatabaseTests(ScratchServerTestCase):
    def test_a_session_that_a_killed_process_has_left_is_not_in_the_way(self):
        config = settings_of(create_tenant(self.new_slug()))
        left = load_backend(config["ENGINE"]).DatabaseWrapper(config, "left")
        left.ensure_connection()
        self.addCleanup(left.close)
        drop_database(config)
        self.assertFalse(database_exists(config))


class EmptiestServerTests(ScratchServerTestCase):
    def test_a_new_tenant_goes_to_the_server_with_the_fewest(self):
        servers = settings.TENANT_SERVERS
        second = {**servers["default"], "NAME": servers["default"]["NAME"].replace("{name}", "b_{name}")}
        with override_settings(TENANT_SERVERS={**servers, "second": second}):
            made = [create_tenant(self.new_slug()) for _ in range(2)]
            self.assertEqual([tenant.server for tenant in made], ["default", "second"])
            self.assertEqual(create_tenant(made[1].slug).server, "second")
            self.assertEqual(create_tenant(self.new_slug(), server="second").server, "second")
            self.assertEqual(create_tenant(self.new_slug()).server, "default")
            # Those that are archived have no database there.
            Tenant.objects.filter(server="second").update(status=Tenant.Status.ARCHIVED)
            self.assertEqual(create_tenant(self.new_slug()).server, "second")
