"""`migrate_tenants`: every database is brought up to date, each reported, and none stops the rest."""

from __future__ import annotations

import json
import os
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import ConnectionHandler, connections

from databases.models import Tenant
from databases.tenants import alone, engines, history, migrating, plans, states, template
from databases.tenants.lifecycle import create_tenant
from databases.tenants.migrating import Outcome
from databases.tenants.upkeep import settings_of
from projects.models import DataPoint

from .scratch_server import ScratchServerTestCase


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class OfThisProcess(Executor):
    """Does at once what other processes would: those cannot see what this test's transaction holds."""

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


class MigrateTenantsTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        # As an older release has left them: each has one migration less.
        self.first, self.second = sorted([self.new_slug(), self.new_slug()])
        for slug in (self.first, self.second):
            self.tenant = create_tenant(slug)
            with connections.instead(self.tenant.alias, settings_of(self.tenant)):
                call_command("migrate", "projects", "zero", database=self.tenant.alias, verbosity=0)

    def migrate(self, *words: str) -> list[str]:
        """Return the lines that `migrate_tenants` writes, also where it fails."""
        stdout = StringIO()
        self.failure = ""
        try:
            call_command("migrate_tenants", *words, stdout=stdout, stderr=StringIO())
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue().splitlines()

    def tables(self, slug: str) -> list[str]:
        tenant = Tenant.objects.get(slug=slug)
        with connections.instead(tenant.alias, settings_of(tenant)) as connection:
            return connection.introspection.table_names()

    def test_each_tenant_is_migrated_and_reported(self):
        with mock.patch.object(migrating, "plan_for", wraps=migrating.plan_for) as plan:
            lines = self.migrate()
        self.assertEqual(plan.call_count, 1, "what they have in common is worked out once")
        self.assertEqual(lines, [f"[1/2] {self.first}: done (1 applied)", f"[2/2] {self.second}: done (1 applied)"])
        self.assertEqual(self.failure, "")
        for slug in (self.first, self.second):
            self.assertIn(DataPoint._meta.db_table, self.tables(slug))

    def test_the_tables_are_those_that_django_makes(self):
        def schema(slug: str) -> list[object]:
            tenant = Tenant.objects.get(slug=slug)
            with connections.instead(tenant.alias, settings_of(tenant)) as connection, connection.cursor() as cursor:
                table = DataPoint._meta.db_table
                columns = connection.introspection.get_table_description(cursor, table)
                return [columns, connection.introspection.get_constraints(cursor, table).keys()]

        self.migrate(self.first)
        other = Tenant.objects.get(slug=self.second)
        with connections.instead(other.alias, settings_of(other)) as connection:
            migrating.migrate_database(connection)
            self.assertTrue(history.is_complete(history.applied_in(connection)))
        self.assertEqual(schema(self.first), schema(self.second))

    def test_those_with_nothing_to_do_are_known_without_working_anything_out(self):
        self.migrate()
        with mock.patch.object(plans, "MigrationExecutor", side_effect=AssertionError("worked out")):
            lines = self.migrate()
        self.assertEqual([line.partition(": ")[2] for line in lines], ["done (nothing to do)"] * 2)

    def test_on_a_terminal_it_is_one_line_with_a_bar_that_grows(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        terminal = Terminal()
        with (
            mock.patch.dict(os.environ, COLUMNS="70"),
            self.assertRaisesMessage(CommandError, f"1 of 2 tenants failed: {self.first}"),
        ):
            call_command("migrate_tenants", stdout=terminal, stderr=StringIO())
        text = terminal.getvalue()
        _, *frames = text.split("\r\033[K")
        self.assertEqual(text.count("\n"), 1, "a line for each would be thousands")
        self.assertTrue(all(len(frame.rstrip("\n")) < 70 for frame in frames), "the terminal would break it in two")
        for frame, shown in zip(
            frames,
            (
                f"[{'.' * 24}] 0/2 ",
                f"[{'#' * 12}{'.' * 12}] 1/2 {self.first}: fai",
                f"[{'#' * 24}] 2/2 {self.second}: do",
            ),
            strict=True,
        ):
            self.assertTrue(frame.startswith(shown), frame)

    def test_only_those_named_are_migrated(self):
        self.assertEqual(self.migrate(self.second), [f"[1/1] {self.second}: done (1 applied)"])
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.first))

    def test_one_that_fails_does_not_stop_the_others_and_a_second_run_completes_it(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        failed, done = self.migrate()
        self.assertIn(f"{self.first}: failed: The server 'gone'", failed)
        self.assertIn(f"{self.second}: done", done)
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.first}")
        Tenant.objects.filter(slug=self.first).update(server="default")
        self.assertEqual(len(self.migrate()), 2)
        self.assertEqual(self.failure, "")
        self.assertIn(DataPoint._meta.db_table, self.tables(self.first))

    def test_no_other_is_begun_after_a_canary_that_fails(self):
        Tenant.objects.filter(slug=self.second).update(server="gone")
        (line,) = self.migrate("--canary", self.second)
        self.assertIn(f"[1/2] {self.second}: failed", line)
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.second}; the other 1 were not begun")
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.first))

    def test_the_outcome_is_there_as_json(self):
        Tenant.objects.filter(slug=self.first).update(server="gone")
        found = {each["slug"]: each for each in json.loads("\n".join(self.migrate("--json")))}
        self.assertIn("The server 'gone'", found[self.first]["error"])
        self.assertEqual(found[self.second]["applied"], ["projects.0001_initial"])
        self.assertIn("1 of 2", self.failure)

    def test_a_run_is_refused_while_another_one_is_under_way(self):
        other = ConnectionHandler({"default": {**connections.settings["default"]}})["default"]
        with mock.patch.object(alone, "connection", other), alone.alone("migrate_tenants", "busy"):
            with mock.patch.object(alone, "connection", connections["default"]):
                self.assertEqual(self.migrate(), [])
            self.assertIn("another process", self.failure)
        other.close()
        self.assertEqual(len(self.migrate()), 2)

    def test_a_tenant_that_moves_is_left_for_later_and_one_without_a_database_is_not_asked(self):
        Tenant.objects.filter(slug=self.first).update(status=Tenant.Status.MOVING)
        Tenant.objects.filter(slug=self.second).update(status=Tenant.Status.ARCHIVED)
        (line,) = self.migrate()
        self.assertIn(f"{self.first}: failed: it is moving", line)
        self.migrate(self.second)
        self.assertIn(self.second, self.failure)

    def test_jobs_share_the_work_and_each_tenant_is_told_of_once(self):
        with mock.patch.object(migrating, "ProcessPoolExecutor", OfThisProcess) as pool:
            lines = self.migrate("--jobs", "2")
        self.assertEqual(pool.jobs, 2)
        self.assertEqual(pool.parts, [[self.first], [self.second]])
        told = sorted(line.partition("] ")[2] for line in lines)
        self.assertEqual(told, [f"{self.first}: done (1 applied)", f"{self.second}: done (1 applied)"])

    def test_a_process_that_has_died_fails_those_it_was_to_migrate(self):
        rest = [Outcome(self.second, [], 0)]
        with (
            mock.patch.object(migrating, "ProcessPoolExecutor", OfThisProcess),
            mock.patch.object(migrating, "_migrate_some", side_effect=[BrokenProcessPool("killed"), rest]),
        ):
            told = sorted(line.partition("] ")[2] for line in self.migrate("--jobs", "2"))
        self.assertEqual(
            told, [f"{self.first}: failed: its process ended: killed", f"{self.second}: done (nothing to do)"]
        )
        self.assertEqual(self.failure, f"1 of 2 tenants failed: {self.first}")

    def test_one_that_is_archived_after_it_was_listed_is_left_alone(self):
        config = settings_of(Tenant.objects.get(slug=self.second))
        outcomes = migrating.migrate_all(list(Tenant.objects.all()))
        self.assertEqual(next(outcomes).error, "")
        states.change(self.second, "archive")
        engines.drop_database(config)
        self.assertIn("it is archiving", next(outcomes).error)
        self.assertFalse(engines.database_exists(config))

    def test_one_that_has_moved_after_it_was_listed_is_migrated_where_it_is_now(self):
        before, tables = settings_of(Tenant.objects.get(slug=self.second)), self.tables(self.second)
        outcomes = migrating.migrate_all(list(Tenant.objects.all()))
        self.assertEqual(next(outcomes).error, "")
        engines.create_database(settings_of(self.tenant, database="elsewhere"))
        Tenant.objects.filter(slug=self.second).update(database="elsewhere")
        self.assertEqual(next(outcomes).error, "")
        self.assertIn(DataPoint._meta.db_table, self.tables(self.second))
        with connections.instead(self.tenant.alias, before) as connection:
            self.assertEqual(connection.introspection.table_names(), tables)

    def test_one_that_another_process_is_busy_with_is_left_for_later(self):
        other = ConnectionHandler({"default": {**connections.settings["default"]}})["default"]
        theirs, ours = (mock.patch.object(alone, "connection", each) for each in (other, connections["default"]))
        with theirs, alone.alone_with(self.tenant), ours:
            outcome = migrating.migrate_tenant(self.tenant.slug)
        other.close()
        self.assertIn("Another process is busy with the tenant", outcome.error)
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.tenant.slug))
        self.assertEqual(migrating.migrate_tenant(self.tenant.slug).error, "")

    def test_one_that_has_changed_while_it_was_waited_for_is_not_migrated_where_it_was(self):
        alone_with = migrating.alone_with

        def moved(tenant: Tenant) -> Any:
            Tenant.objects.filter(pk=tenant.pk).update(status=Tenant.Status.MOVING)
            return alone_with(tenant)

        with mock.patch.object(migrating, "alone_with", moved):
            outcome = migrating.migrate_tenant(self.tenant.slug)
        self.assertIn("run this again", outcome.error)
        self.assertNotIn(DataPoint._meta.db_table, self.tables(self.tenant.slug))

    def test_one_with_nothing_to_do_is_not_waited_for(self):
        self.migrate()
        with mock.patch.object(migrating, "alone_with", side_effect=AssertionError("waits")):
            self.assertEqual(migrating.migrate_tenant(self.tenant.slug).error, "")

    def test_an_unknown_tenant_stops_it_before_it_begins(self):
        self.assertEqual(self.migrate(self.first, "nobody"), [])
        self.assertIn("There is no tenant 'nobody'", self.failure)

    def test_new_tenants_have_what_is_new(self):
        with mock.patch.object(template, "fingerprint", return_value="next"):
            slug = create_tenant(self.new_slug()).slug
        self.assertIn(DataPoint._meta.db_table, self.tables(slug))
