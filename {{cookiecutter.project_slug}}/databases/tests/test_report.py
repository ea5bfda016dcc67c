"""The command `databases` and its page: which app lives where, which migrations are applied, is it healthy."""

from io import StringIO
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, router
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase, override_settings

from databases.report import report_all, report_on
from databases.tests.notebook.models import Note

DOWN = mock.patch.object(connection, "cursor", side_effect=OperationalError("to db.example.com as ann"))


def printed() -> tuple[str, str]:
    """Return what the command prints, and the message that it fails with."""
    out = StringIO()
    try:
        call_command("databases", stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


# Whatever this project's own pages and middleware are.
@override_settings(ROOT_URLCONF="databases.urls", MIDDLEWARE=[])
class ReportTests(TransactionTestCase):
    # All of them: the command looks at every database.
    databases = "__all__"

    def test_every_database_is_listed_and_healthy(self):
        out, _ = printed()
        for alias in connections:
            self.assertIn(f"{alias}: ", out)
        self.assertIn("layer_notebook  1 of 1 applied", out)
        # A database that you added may have no role.
        problems = {report.alias: report.problems for report in report_all() if report.role != "?"}
        self.assertEqual(problems, {alias: [] for alias in problems})

    def test_the_command_succeeds_if_every_database_is_healthy(self):
        with mock.patch("databases.management.commands.databases.report_all", return_value=[report_on("default")]):
            self.assertEqual(printed()[1], "")

    def test_a_migration_that_waits_is_a_problem_and_the_command_fails(self):
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("layer_notebook", "0001_initial")
        self.addCleanup(recorder.record_applied, "layer_notebook", "0001_initial")
        self.assertEqual(report_on("default").problems, ["layer_notebook: 1 migrations to apply"])
        self.assertRegex(printed()[1], "^Unhealthy: default")

    def test_a_migration_that_is_recorded_without_its_table_is_a_problem(self):
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        self.addCleanup(self.make_table)
        problems = [
            "layer_notebook: recorded as applied, but missing layer_notebook_note: run "
            "`migrate layer_notebook zero --fake --database default` and `migrate_databases`"
        ]
        self.assertEqual(report_on("default").problems, problems)

    def make_table(self):
        with connection.schema_editor() as editor:
            editor.create_model(Note)

    @override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_notebook": "elsewhere"})
    def test_a_migration_that_is_only_recorded_is_a_detail_and_no_problem(self):
        report = report_on("default")
        # The table is there, as after the move of an app.
        expected = "1 only recorded: its tables are in the elsewhere database; left over here: layer_notebook_note"
        self.assertEqual(report.details["layer_notebook"], expected)
        self.assertEqual(report.problems, [])

    def test_a_database_of_someone_else_needs_its_tables_and_no_migrations(self):
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("layer_notebook", "0001_initial")
        self.addCleanup(recorder.record_applied, "layer_notebook", "0001_initial")
        with mock.patch("databases.report.is_foreign", return_value=True):
            report = report_on("default")
            self.assertEqual(report.details["layer_notebook"], "1 tables, made by their owner")
            self.assertNotIn("layer_notebook", str(report.problems))
            with connection.schema_editor() as editor:
                editor.delete_model(Note)
            self.addCleanup(self.make_table)
            self.assertIn("layer_notebook: missing layer_notebook_note", report_on("default").problems)

    def test_models_that_another_router_sends_elsewhere_are_no_problem(self):
        class ElsewhereRouter:
            def allow_migrate(self, db, app_label, **hints):
                return False if app_label == "layer_notebook" else None

        with mock.patch.object(router, "routers", [ElsewhereRouter(), *router.routers]):
            with override_settings(DEBUG=True):
                self.assertNotContains(self.client.get("/"), "layer_notebook.Note")
            with connection.schema_editor() as editor:
                editor.delete_model(Note)
            self.addCleanup(self.make_table)
            self.assertEqual(report_on("default").problems, [])

    def test_a_database_that_is_down_is_a_problem_without_its_address(self):
        with DOWN:
            report = report_on("default")
        self.assertEqual(report.problems, ["cannot be reached (OperationalError)"])

    def test_the_others_are_reported_while_a_database_is_down(self):
        with DOWN:
            out, error = printed()
        self.assertRegex(error, "^Unhealthy: default")
        for alias in connections:
            self.assertIn(f"{alias}: ", out)

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
