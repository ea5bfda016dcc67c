"""Databases that are made before their tenants."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from databases.fleet import ready, roles
from databases.fleet.models import ReadyDatabase
from databases.tenants import use_tenant
from databases.tenants.maintenance import inside
from databases.tenants.managed import identity, template
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.scratch_server import ScratchServerTestCase


def output(*words: str) -> str:
    stdout = StringIO()
    call_command(*words, stdout=stdout)
    return stdout.getvalue()


class ReadyTests(ScratchServerTestCase):
    def names(self) -> set[str]:
        """Return the names of the databases that are there, without the template."""
        with self.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self.beginning])
            return {name for (name,) in cursor.fetchall() if "template" not in name}

    def test_a_new_tenant_takes_one_without_a_statement_on_its_server(self):
        self.assertEqual(output("prepare_tenants", "1"), "default: 1 made, 1 ready\n")
        self.assertEqual(output("prepare_tenants", "1"), "default: 0 made, 1 ready\n")
        database, slug = ReadyDatabase.objects.get().database, self.new_slug()
        with mock.patch("databases.tenants.managed.provision.make_ready") as made:
            self.assertIn(f"{slug}: active, in the database {database}", output("create_tenant", slug))
        made.assert_not_called()
        self.assertEqual(ready.count("default"), 0)
        with use_tenant(slug):
            DataPoint.objects.create(name="x", value=1)
            self.assertEqual(DataPoint.objects.count(), 1)
        # The same again is what every other tenant may be told, too.
        self.assertIn(f"{slug}: active, in the database {database}", output("create_tenant", slug))
        output("migrate_tenants", slug)
        with inside(Tenant.objects.get(slug=slug)) as connection:
            self.assertEqual(identity.read(connection).slug, slug)
        self.assertIn("active", output("create_tenant", self.new_slug()))

    def test_a_rollback_makes_it_ready_again(self):
        ready.fill("default", 1)
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            ready.take(self.new_slug(), "default")
            raise ZeroDivisionError
        self.assertEqual(ready.count("default"), 1)

    def test_one_that_a_process_of_another_release_takes_meanwhile_is_not_dropped(self):
        ready.fill("default", 1)
        row, slug = ReadyDatabase.objects.get(), self.new_slug()
        ready.take(slug, "default")
        ready._discard(row)
        self.assertEqual(self.names(), {self.beginning + row.database})
        with use_tenant(slug):
            self.assertEqual(DataPoint.objects.count(), 0)

    def test_a_slug_that_is_taken_costs_none(self):
        ready.fill("default", 1)
        tenant = Tenant.objects.create(slug=self.new_slug(), host="taken", database="x")
        with self.assertRaisesMessage(CommandError, f"is that of the tenant {tenant.slug!r}"):
            call_command("create_tenant", "taken")
        self.assertEqual(ready.count("default"), 1)

    def test_what_a_killed_run_left_or_another_release_made_is_dropped_by_the_next(self):
        for place in ("databases.fleet.ready.roles.install", "databases.fleet.ready.identity.insert"):
            with self.subTest(place):
                with mock.patch(place, side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
                    ready.fill("default", 1)
                self.assertEqual((ready.count("default"), ReadyDatabase.objects.count()), (0, 1))
                self.assertEqual(ready.fill("default", 0), 0)
                self.assertEqual((ReadyDatabase.objects.count(), self.names()), (0, set()))
        ready.fill("default", 1)
        with mock.patch.object(ready, "fingerprint", return_value="later"):
            self.assertEqual(ready.count("default"), 0)
            self.assertIsNone(ready.take(self.new_slug(), "default"))
            ready.fill("default", 0)
        self.assertEqual((ReadyDatabase.objects.count(), self.names()), (0, set()))

    def test_two_processes_do_not_prepare_on_one_server_at_once(self):
        busy = mock.patch.object(ready, "named_lock", side_effect=TenantError("Another process prepares"))
        with busy, self.assertRaisesMessage(CommandError, "1 of 1 servers failed"):
            call_command("prepare_tenants", "1", stdout=StringIO())
        with transaction.atomic(), self.assertRaisesMessage(TenantError, "inside a transaction"):
            ready.fill("default", 1)

    def test_nobody_gets_into_one_but_its_own_user(self):
        ready.fill("default", 1)
        tenant = ReadyDatabase.objects.get().tenant("ready")
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT datacl::text FROM pg_database WHERE datname = %s", [self.beginning + tenant.database]
            )
            (acl,) = cursor.fetchone()
        owner = roles.owner_of(tenant)
        self.assertEqual(acl, "{" + f"{owner}=CTc/{owner}" + "}")

    def test_its_password_is_encrypted_with_the_first_key_too(self):
        ready.fill("default", 1)
        old, new, other = settings.TENANT_PASSWORD_KEYS, *(Fernet.generate_key().decode() for _ in range(2))
        with self.settings(TENANT_PASSWORD_KEYS=[other]), self.assertRaisesMessage(CommandError, "add it at the end"):
            output("rotate_tenant_keys")
        with self.settings(TENANT_PASSWORD_KEYS=[new, *old]):
            output("rotate_tenant_keys")
        slug = self.new_slug()
        with self.settings(TENANT_PASSWORD_KEYS=[new]):
            output("create_tenant", slug)
            with use_tenant(slug):
                self.assertEqual(DataPoint.objects.count(), 0)
        self.assertEqual(ready.count("default"), 0)

    def test_a_release_whose_migrations_ask_for_the_tenant_has_none(self):
        refused = mock.patch.object(template, "build", side_effect=template.TemplateTenantError("there is no template"))
        with refused, self.assertRaises(CommandError):
            call_command("prepare_tenants", "1", stdout=StringIO())
        self.assertFalse(ReadyDatabase.objects.exists())
