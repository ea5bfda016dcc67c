"""A web process bounds its connections and limits its waits. Other processes do neither."""

import contextlib
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from django.db import OperationalError, connection
from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase, TestCase, override_settings

from databases import serving
from databases.environment import from_url, sqlite
from databases.tests import production

SHOW = """
import json
from django.db import connections
print(json.dumps({alias: [config["CONN_MAX_AGE"], sorted(config["OPTIONS"])] for alias, config
    in ((alias, connections.settings[alias]) for alias in connections)}))
"""


class ProcessTests(SimpleTestCase):
    def settings_after(self, start: str) -> dict[str, tuple[int, list[str]]]:
        return {alias: tuple(found) for alias, found in production.run(start + SHOW).items()}

    def test_no_connection_outlives_its_request_under_asgi(self):
        found = self.settings_after(f"import {production.PACKAGE}.asgi")
        self.assertEqual({age for age, _ in found.values()}, {0})

    def test_under_wsgi_a_thread_keeps_its_connection(self):
        found = self.settings_after(f"import {production.PACKAGE}.wsgi")
        self.assertEqual(found["default"][0], 60)
        self.assertIn("timeout", found["default"][1])

    def test_commands_have_no_limit_for_statements(self):
        self.assertEqual(self.settings_after("")["default"], (60, []))

    def test_a_server_may_import_the_application_in_its_event_loop(self):
        # As uvicorn does. Models of an application may have made a connection object, which is not open.
        code = f"""
import asyncio
from django.db import connections
async def load():
    connections["default"]
    import {production.PACKAGE}.asgi
asyncio.run(load())
"""
        self.assertEqual(self.settings_after(code)["default"][0], 0)

    def test_a_connection_that_was_opened_before_gets_the_limits(self):
        code = f"""
import json
from django.db import connection
connection.ensure_connection()
import {production.PACKAGE}.wsgi
print(json.dumps(connection.connection))
"""
        with TemporaryDirectory() as folder:
            self.assertIsNone(production.run(code, DATABASE_URL=f"sqlite:///{folder}/primary.sqlite3"))


#: Statements that take a minute.
SLOW = {
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE SLEEP(60)",
    "sqlite": "SELECT * FROM sqlite_master",
}


class LimitTests(TestCase):
    def setUp(self):
        self.role = mock.Mock()

    def fitted(self, config: dict[str, Any], *, asgi: bool = False, seconds: int = 7) -> ConnectionHandler:
        """Return connections after `fit_connections`: the one with this entry is `other`."""
        handler = ConnectionHandler({"default": sqlite(Path("/nowhere")), "other": config})
        # This process is no web process: nothing may close its connections before it forks, and roles fit theirs alone.
        with (
            mock.patch.object(serving.os, "register_at_fork") as at_fork,
            mock.patch.object(serving.apps, "get_app_configs", return_value=[self.role]),
            mock.patch.object(serving, "connections", handler),
            override_settings(DATABASE_STATEMENT_SECONDS=seconds),
        ):
            serving.fit_connections(asgi=asgi)
        at_fork.assert_called_once_with(before=serving.close_pools)
        self.role.fit_connections.assert_called_with()
        return handler

    def test_a_server_and_its_client_limit_each_statement(self):
        for words, waits in (("?write_timeout=60", (9, 60)), ("", (9, 9))):
            config = from_url(f"mysql://ann:x@db/shop{words}", "X")
            options = self.fitted(config).settings["other"]["OPTIONS"]
            self.assertEqual((options["read_timeout"], options["write_timeout"]), waits)
        for limit in ("innodb_lock_wait_timeout = 7,", "lock_wait_timeout = 7 ", "max_statement_time = 7 "):
            self.assertIn(limit, options["init_command"])

    def test_a_slow_statement_is_an_error(self):
        with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            config = {**connection.settings_dict}
            if connection.vendor == "sqlite":
                # SQLite waits while another connection writes.
                config = sqlite(Path(folder) / "written.sqlite3")
                writer = stack.enter_context(contextlib.closing(sqlite3.connect(config["NAME"])))
                writer.execute("BEGIN EXCLUSIVE")
            # The pool's limit is the one in the settings at the time of connecting.
            with override_settings(DATABASE_STATEMENT_SECONDS=1):
                other = self.fitted(config, seconds=1)["other"]
                with self.assertRaises(OperationalError), other.cursor() as cursor:
                    cursor.execute(SLOW[connection.vendor])
                if connection.vendor == "sqlite":
                    # Its default is a limit too.
                    with other.cursor() as cursor:
                        self.assertEqual(cursor.execute("PRAGMA busy_timeout").fetchone(), (1000,))
            other.close()
            if connection.vendor == "postgresql":
                other.close_pool()

    def test_an_unknown_engine_only_loses_its_kept_connections_under_asgi(self):
        for asgi in (True, False):
            found = self.fitted({"ENGINE": "their.engine", "CONN_MAX_AGE": 9}, asgi=asgi).settings["other"]
            self.assertEqual((found["CONN_MAX_AGE"], found["OPTIONS"]), (0 if asgi else 9, {}))
