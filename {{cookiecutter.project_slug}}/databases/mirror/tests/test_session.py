"""The guard keeps sessions from writing, on SQLite connections of these tests, whatever engine the project has."""

import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db import ConnectionHandler, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase

from databases.environment import sqlite
from databases.mirror import MirrorWriteError, session
from databases.mirror.settings import mirror_database
from databases.read_only import READ_ONLY, is_refusal


class SessionTests(TestCase):
    databases = {"mirror"}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "upstream.sqlite3")

    def connect(self, config: dict[str, Any]) -> BaseDatabaseWrapper:
        connection = ConnectionHandler({"default": {}, "mirror": config})["mirror"]
        self.addCleanup(connection.close)
        return connection

    def test_a_writable_sqlite_file_is_not_written(self):
        connection = self.connect(sqlite(self.file))
        with mock.patch.object(session, "is_test_database", return_value=False), connection.cursor() as cursor:
            self.assertRaises(MirrorWriteError, cursor.execute, "CREATE TABLE ours (id INTEGER)")
            # The driver's own cursor bypasses the guard of statements: the session refuses this.
            write = connection.connection.execute
            self.assertRaisesRegex(sqlite3.OperationalError, "readonly", write, "CREATE TABLE ours (id INTEGER)")

    def test_a_session_that_opens_again_is_guarded_once(self):
        connection = self.connect(sqlite(self.file))
        with mock.patch.object(session, "is_test_database", return_value=False):
            for _ in range(2):
                connection.ensure_connection()
                connection.close()
        self.assertEqual(connection.execute_wrappers.count(session._refuse_writes), 1)

    def test_sql_objects_of_the_driver_are_read_as_their_sql(self):
        context = {"connection": mock.Mock()}
        for sql, sent in (("SELECT 1", True), ("DELETE FROM a", False)):
            composed, execute = mock.Mock(), mock.Mock(return_value="rows")
            composed.as_string.return_value = sql
            if sent:
                self.assertEqual(session._refuse_writes(execute, composed, None, False, context), "rows")
                execute.assert_called_once_with(composed, None, False, context)
            else:
                with self.assertRaises(MirrorWriteError):
                    session._refuse_writes(execute, composed, None, False, context)
            composed.as_string.assert_called_once_with(context["connection"].connection)

    def test_other_errors_stay_as_they_are(self):
        execute = mock.Mock(side_effect=OperationalError("no such table"))
        with self.assertRaisesMessage(OperationalError, "no such table"):
            session._refuse_writes(execute, "SELECT 1", None, False, {})

    def test_a_missing_sqlite_file_is_not_created(self):
        connection = self.connect(mirror_database(f"sqlite:///{self.file}", None))
        self.assertRaises(OperationalError, connection.ensure_connection)
        self.assertFalse(self.file.exists())

    def test_a_session_that_cannot_be_guarded_is_closed(self):
        connection = self.connect(sqlite(self.file))
        with (
            mock.patch.object(session, "is_test_database", return_value=False),
            mock.patch.dict(READ_ONLY, sqlite="SELECT nothing"),
        ):
            self.assertRaises(OperationalError, connection.ensure_connection)
            self.assertIsNone(connection.connection)

    def test_an_engine_without_read_only_sessions_is_refused(self):
        connection = mock.Mock(alias="mirror", vendor="oracle")
        with mock.patch.object(session, "is_test_database", return_value=False):
            self.assertRaisesMessage(
                ImproperlyConfigured, "add a statement for oracle to READ_ONLY", session._guard, connection
            )
        connection.cursor.assert_not_called()

    def test_the_refusals_of_every_engine_are_recognised(self):
        postgresql = mock.Mock(sqlstate="25006")
        mysql = Exception(1792, "Cannot execute statement in a READ ONLY transaction.")
        for cause in (postgresql, mysql, Exception("attempt to write a readonly database")):
            self.assertTrue(is_refusal(cause))
        for cause in (None, mock.Mock(sqlstate="23505"), Exception(1062, "Duplicate entry")):
            self.assertFalse(is_refusal(cause))
