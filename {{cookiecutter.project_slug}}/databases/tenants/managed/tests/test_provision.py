"""`create_tenant` makes and migrates the database of a managed tenant, on the test server."""

from __future__ import annotations

import uuid
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import load_backend

from databases.registry import models_of
from databases.tenants import use_tenant
from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed import identity, owners, provision, template
from databases.tenants.managed.ddl import database_exists, drop_database
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.migrate import migrate_database
from databases.tenants.managed.tests.older_release import make_database, run_sql
from databases.tenants.managed.tests.test_locks import process_of
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.scratch_server import ScratchServerTestCase

#: Fails before the identity row is written.
POWER_CUT = mock.patch("databases.tenants.managed.provision.identity.insert", side_effect=DatabaseError("power cut"))
#: Fails before the database is made.
NO_SPACE = mock.patch("databases.tenants.managed.provision._create", side_effect=DatabaseError("no space"))


def tables(alias: str) -> set[str]:
    return set(connections[alias].introspection.table_names())


class CreateTenantTests(ScratchServerTestCase):
    def create(self, slug: str) -> str:
        stdout = StringIO()
        call_command("create_tenant", slug, stdout=stdout)
        return stdout.getvalue()

    def test_the_new_database_has_the_tenants_tables_and_no_others(self):
        slug = self.new_slug()
        self.assertIn("active", self.create(slug))
        expected = {model._meta.db_table for model in models_of("tenant")}
        self.assertEqual(tables(f"tenant_{slug}"), {*expected, "django_migrations", identity.TABLE})
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

    def test_a_tenant_on_which_another_process_works_is_left_alone(self):
        tenant = Tenant.objects.create(slug=self.new_slug(), database="x")
        works = (
            lambda: provision.make_ready(tenant),
            lambda: provision.correct(tenant, server="default", database="y"),
            lambda: provision.purge(tenant),
        )
        other = connections["default"].copy()
        self.addCleanup(other.close)
        with process_of(other), tenant_lock(tenant), process_of(connections["default"]):
            for work in works:
                with self.assertRaisesMessage(TenantError, "Another process works on"):
                    work()

    def test_a_second_run_completes_a_failed_one(self):
        slug = self.new_slug()
        with POWER_CUT, self.assertRaisesMessage(CommandError, f"{slug}: power cut"):
            self.create(slug)
        self.assertEqual(Tenant.objects.get(slug=slug).status, Tenant.Status.PENDING)
        self.assertIn("active", self.create(slug))
        self.assertIn(DataPoint._meta.db_table, tables(f"tenant_{slug}"))

    def test_a_database_with_foreign_tables_is_never_dropped(self):
        slug = self.new_slug()
        with NO_SPACE, self.assertRaises(CommandError):
            self.create(slug)
        make_database(Tenant.objects.get(slug=slug))
        run_sql(Tenant.objects.get(slug=slug), "CREATE TABLE theirs (id integer)")
        with POWER_CUT, self.assertRaises(CommandError):
            self.create(slug)
        self.create(slug)
        self.assertIn("theirs", tables(f"tenant_{slug}"))

    def test_a_missing_database_of_an_active_tenant_is_not_made_again(self):
        # An empty one would be served in place of the one that is being restored.
        slug = self.new_slug()
        self.create(slug)
        self.close_connections()
        config = maintenance_settings(Tenant(slug=slug, database=f"tenant_{slug}"))
        drop_database(config)
        with self.assertRaisesMessage(CommandError, "is missing: restore it from a backup"):
            self.create(slug)
        self.assertFalse(database_exists(config))

    def test_a_finished_database_is_not_made_again(self):
        slug = self.new_slug()
        self.create(slug)
        with use_tenant(slug):
            DataPoint.objects.create(name="cake", value=1)
        # The state after a run that ended just before it opened the tenant's pages.
        Tenant.objects.update(status=Tenant.Status.PENDING)
        # An open connection would read a SQLite file after its deletion.
        self.close_connections()
        self.assertIn("active", self.create(slug))
        with use_tenant(slug):
            self.assertEqual(DataPoint.objects.count(), 1)


class InterruptedMigrationTests(ScratchServerTestCase):
    """Without a template, as on MySQL, where a killed run leaves tables that no migration record mentions."""

    def setUp(self):
        super().setUp()
        no_template = mock.patch.object(template, "can_copy", return_value=False)
        no_template.start()
        self.addCleanup(no_template.stop)
        self.slug = self.new_slug()
        self.config = maintenance_settings(Tenant(slug=self.slug, database=f"tenant_{self.slug}"))
        self.drop = mock.Mock(wraps=drop_database)
        drop = mock.patch.object(provision, "drop_database", self.drop)
        drop.start()
        self.addCleanup(drop.stop)

    def kill_while_migrating(self) -> None:
        def migrate(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
            migrate_database(connection, tenant)
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE app = 'layer_points'")
            raise SystemExit

        with mock.patch.object(provision, "migrate_database", migrate), self.assertRaises(SystemExit):
            create_tenant(self.slug)

    def change_identity(self, sql: str, *params: object) -> None:
        with maintenance_connection(f"tenant_{self.slug}", self.config) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)

    def test_the_identity_row_is_written_before_the_first_migration(self):
        found: list[object] = []

        def migrate(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
            found.append(identity.read(connection))
            found.append(connection.introspection.table_names())
            migrate_database(connection, tenant)

        with mock.patch.object(provision, "migrate_database", migrate):
            tenant = create_tenant(self.slug)
        self.assertEqual(found, [(self.slug, tenant.uid.hex, identity.UNFINISHED), [identity.TABLE]])

    def test_a_half_made_database_is_made_again(self):
        self.kill_while_migrating()
        self.assertEqual(create_tenant(self.slug).status, Tenant.Status.ACTIVE)
        self.drop.assert_called_once()
        with use_tenant(self.slug):
            self.assertEqual(DataPoint.objects.count(), 0)

    def test_a_half_made_database_of_another_registry_is_kept(self):
        self.kill_while_migrating()
        self.change_identity("UPDATE tenant_identity SET uid = %s", uuid.uuid4().hex)
        with self.assertRaises(identity.WrongDatabaseError):
            create_tenant(self.slug)
        self.drop.assert_not_called()

    def test_an_empty_database_is_adopted_and_never_dropped(self):
        with NO_SPACE, self.assertRaises(DatabaseError):
            create_tenant(self.slug)
        make_database(Tenant.objects.get(slug=self.slug))
        with POWER_CUT, self.assertRaises(DatabaseError):
            create_tenant(self.slug)
        self.assertEqual(create_tenant(self.slug).status, Tenant.Status.ACTIVE)
        self.drop.assert_not_called()
        with use_tenant(self.slug):
            self.assertEqual(DataPoint.objects.count(), 0)

    def test_the_database_of_an_active_tenant_is_never_dropped(self):
        create_tenant(self.slug)
        self.change_identity("UPDATE tenant_identity SET migrations = %s", identity.UNFINISHED)
        create_tenant(self.slug)
        self.drop.assert_not_called()


class TemplateTests(ScratchServerTestCase):
    keeps_template = False

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

    def test_the_template_has_the_migrations_of_this_release(self):
        if not self.copies:
            # MySQL cannot copy a database, so it has no template.
            return
        self.create()
        before = template.build("default")["NAME"]
        with mock.patch.object(template, "fingerprint", return_value="another"):
            self.create()
            self.assertNotEqual(template.build("default")["NAME"], before)
        with mock.patch.object(template, "call_command", wraps=template.call_command) as migrated:
            template.build("default")
        self.assertEqual(migrated.call_count, 1, "the template of other migrations was dropped")

    def test_a_half_made_template_is_made_again(self):
        if not self.copies:
            # MySQL cannot copy a database, so it has no template.
            return
        with mock.patch.object(template, "_finish", side_effect=OSError("power cut")), self.assertRaises(OSError):
            self.create()
        self.assertEqual(self.create().status, Tenant.Status.ACTIVE)

    def test_no_tenant_is_given_the_name_of_a_template(self):
        for name in ("tenant_template_x", "Tenant_Template_x"):
            with self.assertRaisesMessage(ValueError, "tenants are copied from"):
                create_tenant(self.new_slug(), database=name)


if template.can_copy(settings.TENANT_SERVERS["default"]):

    class CopyTests(ScratchServerTestCase):
        def test_a_copy_costs_few_statements_and_few_sessions(self):
            """Each session takes as long as ten statements; migrating takes ten times as long as all of them."""
            create_tenant(self.new_slug())
            sessions, statements = [], []

            def execute(run: Any, sql: str, *rest: Any) -> Any:
                # Those of TestCase's transaction do not count.
                statements.extend([] if "SAVEPOINT" in sql else [sql])
                return run(sql, *rest)

            def watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
                sessions.append(connection)
                connection.execute_wrappers.append(execute)

            connection_created.connect(watch)
            self.addCleanup(connection_created.disconnect, watch)
            with connections["default"].execute_wrapper(execute):
                create_tenant(self.new_slug())
            # For the lock; on the server, to copy; and in the copy, to write whose it is, and to give it to its owner.
            has_server = connections["default"].vendor == "postgresql"
            has_owner = type(owners.owner()) is not owners.ServerUser
            self.assertEqual(len(sessions), (4 if has_owner else 3) if has_server else 1)
            most = (28 if has_owner else 16) if has_server else 8
            self.assertLessEqual(len(statements), most, "\n".join(map(str, statements)))


class DroppedDatabaseTests(ScratchServerTestCase):
    def test_a_session_left_open_does_not_block_the_drop(self):
        config = maintenance_settings(create_tenant(self.new_slug()))
        left = load_backend(config["ENGINE"]).DatabaseWrapper(config, "left")
        left.ensure_connection()
        self.addCleanup(left.close)
        drop_database(config)
        self.assertFalse(database_exists(config))
