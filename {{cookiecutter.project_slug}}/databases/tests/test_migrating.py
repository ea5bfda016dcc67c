"""`migrate_databases` migrates every database that this project owns, in order, and reports on each."""

import contextlib
import json
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import ConnectionHandler, OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase, override_settings

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
        # Each role tests its databases.
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
        with contextlib.redirect_stdout(StringIO()) as stdout:
            self.assertEqual(self.lines(), ["default: 1 applied", *(f"{alias}: up to date" for alias in OWN[1:])])
        self.assertEqual(stdout.getvalue(), "", "what Django's command says would stand among lines of JSON")
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

    def test_a_failure_names_its_migration(self):
        self.undo()
        with mock.patch.object(migrating, "call_command", side_effect=OperationalError("no space")):
            lines, error = run()
        self.assertIn("default: failed: layer_notebook.0001_initial: no space", lines)
        self.assertIn("default", error)

    def test_a_table_that_is_missing_although_its_migrations_are_recorded_is_a_failure_with_a_cure(self):
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        self.addCleanup(call_command, "migrate", "layer_notebook", verbosity=0)
        self.addCleanup(call_command, "migrate", "layer_notebook", "zero", fake=True, verbosity=0)
        for words in ((), ("--check",)):
            lines, error = run(*words)
            (line,) = [each for each in lines if each.startswith("default: failed: layer_notebook: ")]
            self.assertIn("missing layer_notebook_note", line)
            self.assertIn("`migrate layer_notebook zero --fake --database default`", line)
            self.assertIn("Failed: default", error)

    def test_two_processes_do_not_migrate_a_database_at_once(self):
        other = connections["default"].copy()
        self.addCleanup(other.close)
        asked = mock.patch.object(migrating, "lock", wraps=migrating.lock)
        with migrating._alone(other), mock.patch.object(migrating, "WAIT_SECONDS", 0.1), asked as lock:
            lines, _ = run()
        self.assertEqual({call.kwargs["wait"] for call in lock.call_args_list}, {0.1})
        self.assertIn("default: failed: another process migrates it: wait until that ends, and run this again", lines)
        self.assertIn("default: up to date", run()[0])

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

    def test_with_names_no_other_database_is_migrated(self):
        role = mock.Mock(spec=["label", "migrate_databases"], label="elsewhere")
        with mock.patch.object(migrating, "_roles", lambda: [role]):
            self.assertEqual(run(OWN[-1]), ([f"Migrating {OWN[-1]} …", f"{OWN[-1]}: up to date"], ""))
        role.migrate_databases.assert_not_called()

    def test_a_name_that_is_not_one_of_our_databases_is_an_error(self):
        refusal = f"'nowhere' is not in OWN_DATABASES: name {' or '.join(OWN)}."
        self.assertEqual(run("default", "nowhere"), ([], refusal))

    def test_a_registry_without_its_tables_is_named_and_not_read(self):
        role = mock.Mock(spec=["label", "migrate_databases"], label="elsewhere")
        before = Result("default", ["elsewhere.0001_initial"])
        with (
            mock.patch.object(migrating, "_roles", lambda: [role]),
            mock.patch.object(migrating, "_migrate", lambda alias, **options: before._replace(database=alias)),
        ):
            lines, error = run("--plan")
            skipped = "default lacks migrations of its registry: run `migrate_databases default` first"
            self.assertIn(f"elsewhere: skipped: {skipped}", lines)
            self.assertEqual(error, "")
            role.migrate_databases.assert_not_called()
            # Without --plan these have been applied.
            run()
            role.migrate_databases.assert_called_once_with(pending_only=False)

    def test_a_registry_that_cannot_be_read_is_an_error_of_one_line(self):
        role = mock.Mock(spec=["label", "migrate_databases"], label="elsewhere")
        role.migrate_databases.side_effect = OperationalError("no\nspace")
        with mock.patch.object(migrating, "_roles", lambda: [role]):
            lines, error = run("--plan")
        self.assertIn("elsewhere: failed: no space", lines)
        self.assertEqual(error, "Failed: elsewhere. Correct the cause, and run this again.")


class MissingTests(TransactionTestCase):
    def test_a_database_that_the_server_lacks_is_made_in_development_alone(self):
        config = {**connection.settings_dict}
        # SQLite makes a file by itself, but no folder.
        config["NAME"] = "/dev/null/x" if connection.vendor == "sqlite" else f"{config['NAME']}_lacking"
        lacking = ConnectionHandler({"default": config})["default"]
        self.addCleanup(lacking.close)
        with (
            mock.patch.object(migrating, "connections", {"default": lacking}),
            mock.patch.object(migrating, "call_command"),
        ):
            self.assertNotEqual(migrating._migrate("default", pending_only=False).error, "")
            with override_settings(DEBUG=True):
                self.assertNotEqual(migrating._migrate("default", pending_only=True).error, "")
                made = migrating._migrate("default", pending_only=False)
        if connection.vendor == "sqlite":
            self.assertIn("unable to open database file", made.error)
            return
        self.assertEqual(made.error, "")
        self.assertIn("layer_notebook.0001_initial", made.migrations)
        # Two processes that both found it lacking.
        lacking.close()
        with mock.patch.object(lacking, "ensure_connection", side_effect=[OperationalError, lacking.connect()]):
            migrating._create_if_missing(lacking)
        lacking.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {connection.ops.quote_name(config['NAME'])}")
