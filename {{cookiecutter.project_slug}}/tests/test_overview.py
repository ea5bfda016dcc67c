"""The command `databases` and the start page: what is where, and is it well."""

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase, override_settings

from databases.overview import report_on
from notes.models import Note

DOWN = mock.patch.object(connection, "cursor", side_effect=OperationalError("to db.example.com as ann"))


class OverviewTests(TransactionTestCase):
    # All of them: the command looks at every database.
    databases = "__all__"

    def test_every_database_is_listed_and_well(self):
        out = StringIO()
        call_command("databases", stdout=out)
        for alias in connections:
            self.assertIn(f"{alias}: ", out.getvalue())
        self.assertIn("notes           1 of 1 applied", out.getvalue())

    def test_a_migration_that_waits_is_a_problem_and_the_command_fails(self):
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("notes", "0001_initial")
        self.addCleanup(recorder.record_applied, "notes", "0001_initial")
        self.assertEqual(report_on("default").problems, ["notes: 1 migrations to apply"])
        with self.assertRaisesMessage(CommandError, "default"):
            call_command("databases", stdout=StringIO())

    def test_a_migration_that_is_recorded_without_its_table_is_a_problem(self):
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        self.addCleanup(self.make_table)
        self.assertEqual(report_on("default").problems, ["notes: recorded as applied, but missing notes_note"])

    def make_table(self):
        with connection.schema_editor() as editor:
            editor.create_model(Note)

    def test_a_database_that_is_down_is_a_problem_without_its_address(self):
        with DOWN:
            report = report_on("default")
        self.assertEqual(report.problems, ["cannot be reached (OperationalError)"])

    def test_the_others_are_reported_while_a_database_is_down(self):
        out = StringIO()
        with DOWN, self.assertRaisesMessage(CommandError, "Not well: default"):
            call_command("databases", stdout=out)
        for alias in connections:
            self.assertIn(f"{alias}: ", out.getvalue())

    @override_settings(DEBUG=True)
    def test_the_page_is_shown_while_a_database_is_down(self):
        with DOWN:
            self.assertContains(self.client.get("/"), "cannot be reached (OperationalError)")

    def test_a_database_that_no_router_serves_is_a_problem(self):
        (problem,) = report_on("elsewhere").problems
        self.assertIn("No router in DATABASE_ROUTERS serves the database 'elsewhere'", problem)

    def test_the_page_is_not_served_in_production(self):
        self.assertEqual(self.client.get("/").status_code, 404)

    @override_settings(DEBUG=True)
    def test_the_page_shows_rows_while_debug_is_on(self):
        Note.objects.create(text="a note to find")
        self.assertContains(self.client.get("/"), "a note to find")

    @override_settings(DEBUG=True, SITE_NAME="<b>O'Brien & Co.")
    def test_the_page_escapes_the_name_of_the_site(self):
        self.assertContains(self.client.get("/"), "<title>&lt;b&gt;O&#x27;Brien &amp; Co.</title>")
