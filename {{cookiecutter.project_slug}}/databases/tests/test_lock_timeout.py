"""A migration of a table that another transaction uses fails soon. SQLite locks whole files, and limits the wait."""

from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connection
from django.test import TransactionTestCase

from databases import lock_timeout, migrating
from databases.tests.notebook.models import Note


def migrate_backwards(*words: str, database: str, **options: Any) -> None:
    call_command("migrate", "layer_notebook", "zero", database=database, verbosity=0)


if connection.vendor != "sqlite":

    class BusyTableTests(TransactionTestCase):
        def setUp(self):
            self.reader = connection.copy()
            self.addCleanup(self.reader.close)
            self.reader.set_autocommit(False)
            with self.reader.cursor() as cursor:
                if connection.vendor == "postgresql":
                    # A migration without a limit would wait for this test, which waits for the migration.
                    cursor.execute("SET idle_in_transaction_session_timeout = '20s'")
                cursor.execute(f"SELECT * FROM {Note._meta.db_table}")
            # The session has the limit until it ends.
            self.addCleanup(connection.close)

        def test_a_migration_fails_soon_with_what_to_do_and_the_table_can_be_read(self):
            out = StringIO()
            with (
                mock.patch.object(lock_timeout, "LOCK_SECONDS", 0.1),
                mock.patch.object(migrating, "call_command", migrate_backwards),
                self.assertRaisesMessage(CommandError, "Failed: default."),
            ):
                call_command("migrate_databases", "default", stdout=out, stderr=out)
            self.assertIn("default: failed: another transaction kept a table locked for longer than", out.getvalue())
            self.assertIn("run this again", out.getvalue())
            self.assertEqual(Note.objects.count(), 0)


if connection.vendor == "postgresql":

    class ConcurrentTests(TransactionTestCase):
        def test_what_nobody_waits_behind_has_no_limit(self):
            self.addCleanup(connection.close)
            fresh = mock.patch.object(connection, "execute_wrappers", [])
            with fresh as wrappers, connection.cursor() as cursor:
                call_command("migrate", "layer_notebook", verbosity=0)
                # Each migration of this session limits it.
                lock_timeout._limit("default")
                self.assertEqual(wrappers.count(lock_timeout._lift), 1)
                found = []
                for comment in ("", "-- CONCURRENTLY", ""):
                    cursor.execute(f"SELECT current_setting('lock_timeout') {comment}")
                    found += cursor.fetchone()
                self.assertEqual(found, ["5s", "0", "5s"])
