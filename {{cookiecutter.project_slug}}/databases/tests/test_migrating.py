"""`migrate_databases` migrates every database that this project owns, in order, and reports on each."""

import json
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase

from databases import migrating
from databases.migrating import Result
from databases.tests.notebook.models import Note

OWN = settings.OWN_DATABASES


def run(*words: str) -> tuple[list[str], str]:
    """Return the lines that the command writes to stdout and stderr, and the message that it fails with."""
    out, error = StringIO(), ""
    try:
        call_command("migrate_databases", *words, stdout=out, stderr=out)
    except CommandError as raised:
        error = str(raised)
    return out.getvalue().splitlines(), error


class OwnDatabasesTests(TransactionTestCase):
    databases = {*OWN}

    def setUp(self):
        # The databases of roles have tests of their own.
        without_roles = mock.patch.object(migrating, "_roles", lambda: [])
        without_roles.start()
        self.addCleanup(without_roles.stop)

    def undo(self, alias: str = "default") -> None:
        """Make the migration of the app of these tests pending again."""
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        MigrationRecorder(connections[alias]).record_unapplied("layer_notebook", "0001_initial")
        self.addCleanup(call_command, "migrate", "layer_notebook", verbosity=0)

    def lines(self, *words: str) -> list[str]:
        return [line for line in run(*words)[0] if line.partition(":")[0] in (*OWN, "") or line.startswith(" ")]

    def test_a_pending_migration_is_applied_once(self):
        self.undo()
        self.assertEqual(self.lines(), ["default: 1 applied", *(f"{alias}: up to date" for alias in OWN[1:])])
        self.assertEqual(Note.objects.count(), 0)
        self.assertEqual(self.lines(), [f"{alias}: up to date" for alias in OWN])

    def test_check_and_plan_change_nothing(self):
        self.assertEqual(run("--check")[1], "")
        self.undo()
        behind = "Migrations are pending on: default. Run migrate_databases."
        self.assertEqual((self.lines("--check")[0], run("--check")[1]), ("default: 1 pending", behind))
        self.assertEqual(self.lines("--plan")[:2], ["default: 1 pending", "  layer_notebook.0001_initial"])
        self.assertEqual(run("--plan")[1], "")
        self.assertNotIn("layer_notebook_note", connection.introspection.table_names())

    def test_a_database_that_fails_is_named_and_does_not_stop_the_next_one(self):
        def fail(*words: str, database: str, **options: Any) -> None:
            seen.append(database)
            if database == "default":
                raise OperationalError("no\nspace")

        seen: list[str] = []
        with mock.patch.object(migrating, "call_command", fail):
            lines, error = run()
        self.assertEqual(seen, OWN)
        self.assertIn("default: failed: no space", lines)
        self.assertEqual(error, "Failed: default. Correct the cause, and run this again.")

    def test_the_databases_of_others_are_named_as_skipped(self):
        lines = run()[0]
        for alias in {*connections} - {*OWN}:
            self.assertIn(f"{alias}: skipped: this project does not migrate it", lines)

    def test_results_are_written_as_json(self):
        self.undo()
        out = StringIO()
        call_command("migrate_databases", "--json", "--plan", stdout=out)
        first = json.loads(out.getvalue())[0]
        self.assertEqual(first, Result("default", ["layer_notebook.0001_initial"])._asdict())


class RoleTests(TransactionTestCase):
    databases = {*OWN}

    def test_a_role_adds_its_databases_unless_the_primary_failed(self):
        role = mock.Mock(spec=["label", "migrate_databases"], label="elsewhere")
        role.migrate_databases.return_value = [Result("elsewhere_1", ["a.0001"]), Result("elsewhere_2", [], "no space")]
        with mock.patch.object(migrating, "_roles", lambda: [role]):
            lines, error = run("--plan")
            self.assertIn("elsewhere_1: 1 pending", lines)
            self.assertEqual(error, "Failed: elsewhere_2. Correct the cause, and run this again.")
            role.migrate_databases.assert_called_once_with(pending_only=True)
            with mock.patch.object(migrating, "_pending", side_effect=OperationalError("down")):
                lines, error = run("--plan")
        self.assertIn("elsewhere: skipped: default failed", lines)
        role.migrate_databases.assert_called_once()
