"""`migrate_tenants`: every database is migrated, each is reported, and no failure stops the others."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import ConnectionHandler, connections

from databases import migrating
from databases.migrating import Result
from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed import (
    locks,
    migrate,
    migration_history,
    migration_plan,
    processes,
    provision,
    template,
)
from databases.tenants.managed.migrate import Outcome
from databases.tenants.managed.tests.older_release import make_database, remove_points
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.scratch_server import ScratchServerTestCase


class OfThisProcess(Executor):
    """Does the work of other processes at once: they could not see the rows of this test's transaction."""

    def __init__(self, jobs: int, **options: Any) -> None:
        type(self).jobs = jobs
        type(self).parts = []

    def submit(self, work: Any, part: list[str]) -> Future:
        self.parts.append(part)
        future: Future = Future()
        try:
            future.set_result(work(part))
        except BrokenProcessPool as error:
            future.set_exception(error)
        return future


class MigrateTestCase(ScratchServerTestCase):
    """Has two tenants whose databases lack one migration, as if an older release had made them."""

    def setUp(self):
        super().setUp()
        self.first, self.second = sorted([self.new_slug(), self.new_slug()])
        for slug in (self.first, self.second):
            self.tenant = create_tenant(slug)
            remove_points(self.tenant)

    def migrate(self, *words: str) -> list[str]:
        """Return the lines that `migrate_tenants` writes. Its error, if any, is in `self.failure`."""
        stdout = StringIO()
        self.failure = ""
        try:
            call_command("migrate_tenants", *words, stdout=stdout, stderr=StringIO())
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue().splitlines()

    def tables(self, slug: str) -> list[str]:
        tenant = Tenant.objects.get(slug=slug)
        with maintenance_connection(tenant.alias, maintenance_settings(tenant)) as connection:
            return connection.introspection.table_names()


class MigrateDatabasesTests(MigrateTestCase):
    def lines(self, *words: str) -> list[str]:
        """Return the lines that `migrate_databases` writes about the two tenants."""
        stdout = StringIO()
        with (
            suppress(CommandError),
            mock.patch.object(migrating, "_migrate", lambda alias, **options: Result(alias, [])),
        ):
            call_command("migrate_databases", *words, stdout=stdout, stderr=stdout)
        ours = (f"tenant_{self.first}", f"tenant_{self.second}", "tenants:", " ")
        return [line for line in stdout.getvalue().splitlines() if line.startswith(ours)]

    def test_tenants_are_migrated_after_the_other_databases(self):
        aliases = [f"tenant_{self.first}", f"tenant_{self.second}"]
        pending = ["  layer_points.0001_initial"]
        self.assertEqual(self.lines("--check"), [f"{alias}: 1 pending" for alias in aliases])
        self.assertEqual(
            self.lines("--plan"), [line for alias in aliases for line in (f"{alias}: 1 pending", *pending)]
        )
        self.assertEqual(self.lines(), [f"{alias}: 1 applied" for alias in aliases])
        self.assertEqual(self.lines(), [f"{alias}: up to date" for alias in aliases])

    def test_a_tenant_that_fails_is_named_and_the_next_one_is_migrated(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        for words, state in (("--check",), "pending"), ((), "applied"):
            first, second = self.lines(*words)
            self.assertRegex(first, f"^tenant_{self.first}: failed: The server 'gone'")
            self.assertEqual(second, f"tenant_{self.second}: 1 {state}")

    def test_a_second_process_is_refused(self):
        with mock.patch.object(provision, "named_lock", side_effect=TenantError(migrate.BUSY)):
            self.assertEqual(self.lines(), [f"tenants: failed: {migrate.BUSY}"])


class MigrateTenantsTests(MigrateTestCase):
    def test_each_tenant_is_migrated_and_reported(self):
        with mock.patch.object(migrate, "plan_for", wraps=migrate.plan_for) as plan:
            lines = self.migrate()
        self.assertEqual(plan.call_count, 1, "tenants with the same history share one plan")
        self.assertEqual(lines, [f"[1/2] {self.first}: done (1 applied)", f"[2/2] {self.second}: done (1 applied)"])
        self.assertEqual(self.failure, "")
        for slug in (self.first, self.second):
            self.assertIn(DataPoint._meta.db_table, self.tables(slug))

    def test_tables_are_the_same_as_with_djangos_command(self):
        def schema(slug: str) -> list[object]:
            tenant = Tenant.objects.get(slug=slug)
            with (
                maintenance_connection(tenant.alias, maintenance_settings(tenant)) as connection,
                connection.cursor() as cursor,
            ):
                table = DataPoint._meta.db_table
                columns = connection.introspection.get_table_description(cursor, table)
                return [columns, connection.introspection.get_constraints(cursor, table).keys()]

        self.migrate(self.first)
        other = Tenant.objects.get(slug=self.second)
        with maintenance_connection(other.alias, maintenance_settings(other)) as connection:
            migrate.migrate_database(connection, other)
            self.assertTrue(migration_history.is_complete(migration_history.applied_in(connection)))
        self.assertEqual(schema(self.first), schema(self.second))

    def test_no_plan_is_made_for_up_to_date_tenants(self):
        self.migrate()
        with mock.patch.object(migration_plan, "MigrationExecutor", side_effect=AssertionError("a plan was made")):
            lines = self.migrate()
        self.assertEqual([line.partition(": ")[2] for line in lines], ["done (nothing to do)"] * 2)

    def test_only_named_tenants_are_migrated(self):
        self.assertEqual(self.migrate(self.second), [f"[1/1] {self.second}: done (1 applied)"])
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.first))

    def test_a_failure_stops_no_other_tenant_and_a_second_run_completes_it(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        failed, done = self.migrate()
        self.assertIn(f"{self.first}: failed: The server 'gone'", failed)
        self.assertIn(f"{self.second}: done", done)
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.first}")
        Tenant.objects.filter(slug=self.first).update(server="default")
        self.assertEqual(len(self.migrate()), 2)
        self.assertEqual(self.failure, "")
        self.assertIn(DataPoint._meta.db_table, self.tables(self.first))

    def test_outcomes_are_written_as_json(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        found = {each["slug"]: each for each in json.loads("\n".join(self.migrate("--json")))}
        self.assertIn("The server 'gone'", found[self.first]["error"])
        self.assertEqual(found[self.second]["applied"], ["layer_points.0001_initial"])
        self.assertIn("1 of 2", self.failure)

    def test_a_second_run_at_the_same_time_is_refused(self):
        other = ConnectionHandler({"default": {**connections.settings["default"]}})["default"]
        with mock.patch.object(locks, "connection", other), locks.named_lock("migrate_tenants", "busy"):
            with mock.patch.object(locks, "connection", connections["default"]):
                self.assertEqual(self.migrate(), [])
            self.assertIn("Another process", self.failure)
        other.close()
        self.assertEqual(len(self.migrate()), 2)

    def test_jobs_share_the_work_and_report_each_tenant_once(self):
        with mock.patch.object(processes, "ProcessPoolExecutor", OfThisProcess) as pool:
            lines = self.migrate("--jobs", "2")
        self.assertEqual(pool.jobs, 2)
        self.assertEqual(pool.parts, [[self.first], [self.second]])
        told = sorted(line.partition("] ")[2] for line in lines)
        self.assertEqual(told, [f"{self.first}: done (1 applied)", f"{self.second}: done (1 applied)"])

    def test_tenants_of_a_died_process_are_reported_as_failed(self):
        rest = [Outcome(self.second, [], 0)]
        with (
            mock.patch.object(processes, "ProcessPoolExecutor", OfThisProcess),
            mock.patch.object(processes, "_migrate_some", side_effect=[BrokenProcessPool("killed"), rest]),
        ):
            told = sorted(line.partition("] ")[2] for line in self.migrate("--jobs", "2"))
        self.assertEqual(
            told, [f"{self.first}: failed: its process ended: killed", f"{self.second}: done (nothing to do)"]
        )
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.first}")

    def test_a_tenant_is_migrated_at_its_current_address(self):
        before, tables = maintenance_settings(Tenant.objects.get(slug=self.second)), self.tables(self.second)
        outcomes = migrate.migrate_all(list(Tenant.objects.all()))
        self.assertEqual(next(outcomes).error, "")
        Tenant.objects.filter(slug=self.second).update(database="elsewhere")
        make_database(Tenant.objects.get(slug=self.second))
        self.assertEqual(next(outcomes).error, "")
        self.assertIn(DataPoint._meta.db_table, self.tables(self.second))
        with maintenance_connection(self.tenant.alias, before) as connection:
            self.assertEqual(connection.introspection.table_names(), tables)

    def test_a_tenant_locked_by_another_process_fails(self):
        other = ConnectionHandler({"default": {**connections.settings["default"]}})["default"]
        theirs, ours = (mock.patch.object(locks, "connection", each) for each in (other, connections["default"]))
        with theirs, locks.tenant_lock(self.tenant), ours:
            outcome = migrate.migrate_tenant(self.tenant.slug)
        other.close()
        self.assertIn("Another process works on the tenant", outcome.error)
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.tenant.slug))
        self.assertEqual(migrate.migrate_tenant(self.tenant.slug).error, "")

    def test_an_up_to_date_tenant_takes_no_lock(self):
        self.migrate()
        with mock.patch.object(migrate, "tenant_lock", side_effect=AssertionError("waits")):
            self.assertEqual(migrate.migrate_tenant(self.tenant.slug).error, "")

    def test_a_tenant_without_a_database_is_not_listed_and_fails_if_named(self):
        Tenant.objects.filter(slug=self.second).update(status=Tenant.Status.PENDING)
        self.assertEqual(self.migrate(), [f"[1/1] {self.first}: done (1 applied)"])
        (line,) = self.migrate(self.second)
        self.assertIn(f"{self.second}: failed: it is pending", line)

    def test_a_tenant_that_changed_while_the_lock_was_awaited_fails(self):
        tenant_lock = migrate.tenant_lock

        def change(tenant: Tenant) -> Any:
            Tenant.objects.filter(pk=tenant.pk).update(database="elsewhere")
            return tenant_lock(tenant)

        with mock.patch.object(migrate, "tenant_lock", change):
            outcome = migrate.migrate_tenant(self.tenant.slug)
        self.assertIn("run this again", outcome.error)
        Tenant.objects.filter(pk=self.tenant.pk).update(database=self.tenant.database)
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.tenant.slug))

    def test_an_unknown_tenant_is_refused_before_the_run_starts(self):
        self.assertEqual(self.migrate(self.first, "nobody"), [])
        self.assertIn("There is no tenant 'nobody'", self.failure)

    def test_new_tenants_have_all_migrations(self):
        with mock.patch.object(template, "fingerprint", return_value="next"):
            slug = create_tenant(self.new_slug()).slug
        self.assertIn(DataPoint._meta.db_table, self.tables(slug))
