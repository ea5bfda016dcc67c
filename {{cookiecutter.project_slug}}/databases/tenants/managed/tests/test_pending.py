"""A tenant that was not opened yet can be corrected or removed. What someone else has made is kept."""

from __future__ import annotations

import uuid
from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, router, transaction

from databases.tenants.lifecycle import create_tenant, purge_pending_tenant
from databases.tenants.maintenance import inside, maintenance_connection, maintenance_settings
from databases.tenants.managed import identity, provision
from databases.tenants.managed.ddl import create_database, database_exists
from databases.tenants.managed.identity import WrongDatabaseError
from databases.tenants.managed.tests.older_release import make_database
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError
from databases.tenants.tests.scratch_server import ScratchServerTestCase

Status = Tenant.Status


class PendingTestCase(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        self.slug = self.new_slug()
        self.tenant = Tenant(slug=self.slug, database=f"tenant_{self.slug}")

    def interrupt(self, database: str = "") -> Tenant:
        """Register the tenant, and fail before its database is made. Return its row."""
        no_space = mock.patch.object(provision, "_create", side_effect=DatabaseError("no space"))
        with no_space, self.assertRaisesMessage(DatabaseError, "no space"):
            create_tenant(self.slug, database=database)
        return self.row()

    def begin(self) -> None:
        """Make the database of the registered tenant like a run that is killed while it migrates."""
        make_database(self.row())
        with inside(self.row()) as connection:
            identity.claim(connection, self.row())

    def change_identity(self, sql: str, *params: Any) -> None:
        config = maintenance_settings(self.row())
        with maintenance_connection("changed", config) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)

    def row(self) -> Tenant:
        return Tenant.objects.get(slug=self.slug)

    def exists(self, database: str = "") -> bool:
        return database_exists(maintenance_settings(self.tenant, database=database))


class OpenedTests(PendingTestCase):
    def test_another_database_for_an_opened_tenant_is_refused(self):
        Tenant.objects.create(slug=self.slug, database=f"tenant_{self.slug}", status=Status.SUSPENDED)
        with self.assertRaisesMessage(ValueError, "an alias must never lead to another database"):
            create_tenant(self.slug, database="other")
        self.assertEqual(self.row().database, f"tenant_{self.slug}")


class TransactionTests(PendingTestCase):
    def test_a_transaction_on_the_registry_is_refused(self):
        """A rollback would remove the row of a database that exists."""
        with transaction.atomic(using=router.db_for_write(Tenant)):
            for work in (create_tenant, purge_pending_tenant):
                Tenant.objects.get_or_create(slug=self.slug, database=f"tenant_{self.slug}")
                with self.assertRaisesMessage(TenantError, "outside of atomic()"):
                    work(self.slug)
            transaction.set_rollback(True, using=router.db_for_write(Tenant))
        self.assertFalse(Tenant.objects.exists() or self.exists())

    def test_a_tenant_that_cannot_be_registered_leaves_nothing(self):
        with mock.patch.object(Tenant, "save", side_effect=DatabaseError("no space")), self.assertRaises(DatabaseError):
            create_tenant(self.slug)
        self.assertFalse(self.exists())


class CorrectionTests(PendingTestCase):
    def test_a_pending_tenant_takes_another_database(self):
        self.interrupt("misspelt")
        self.assertEqual(create_tenant(self.slug, database="other").status, Status.ACTIVE)
        self.assertEqual(self.row().database, "other")
        self.assertEqual([self.exists("misspelt"), self.exists("other")], [False, True])

    def test_without_a_name_the_registered_database_is_made(self):
        self.interrupt("chosen")
        self.assertEqual(create_tenant(self.slug).database, "chosen")

    def test_a_database_that_someone_else_made_is_left_as_it_is(self):
        self.interrupt("theirs")
        create_database(maintenance_settings(self.row()))
        create_tenant(self.slug, database="other")
        self.assertTrue(self.exists("theirs"))

    def test_a_database_that_was_begun_is_kept_and_the_ways_out_are_named(self):
        self.interrupt()
        self.begin()
        with self.assertRaisesMessage(TenantError, f"or drop it with `purge_pending_tenant {self.slug}` first."):
            create_tenant(self.slug, database="other")
        self.assertEqual(self.row().database, f"tenant_{self.slug}")
        self.assertEqual(create_tenant(self.slug).status, Status.ACTIVE)


class PurgeTests(PendingTestCase):
    def purge(self) -> None:
        call_command("purge_pending_tenant", self.slug, stdout=StringIO())

    def refuse(self, error: type[Exception], message: str) -> None:
        """Check that the tenant is not removed, with its database."""
        with self.assertRaisesMessage(error, message):
            purge_pending_tenant(self.slug)
        self.assertTrue(self.exists() and self.row())

    def test_a_tenant_without_a_database_is_removed(self):
        self.interrupt()
        self.purge()
        self.assertFalse(Tenant.objects.exists())
        with self.assertRaisesMessage(CommandError, "There is no tenant"):
            self.purge()

    def test_a_half_made_database_is_dropped(self):
        self.interrupt()
        self.begin()
        self.purge()
        self.assertFalse(Tenant.objects.exists() or self.exists())

    def test_a_database_without_an_identity_row_is_kept(self):
        self.interrupt()
        create_database(maintenance_settings(self.row()))
        self.refuse(TenantError, f"`create_tenant {self.slug} --database OTHER`")

    def test_a_finished_database_is_kept(self):
        create_tenant(self.slug)
        Tenant.objects.update(status=Status.PENDING)
        self.refuse(TenantError, f"Complete it with `create_tenant {self.slug}`")

    def test_the_half_made_database_of_another_registry_is_kept(self):
        self.interrupt()
        self.begin()
        self.change_identity("UPDATE tenant_identity SET uid = %s", uuid.uuid4().hex)
        self.refuse(WrongDatabaseError, "belongs to")

    def test_an_active_tenant_is_kept(self):
        create_tenant(self.slug)
        self.change_identity("UPDATE tenant_identity SET migrations = %s", identity.UNFINISHED)
        self.refuse(TenantError, "which is active")
