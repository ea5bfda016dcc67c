"""A pool bounds the sessions of a web process, and none of its connections waits without limit."""

import math
from typing import Any
from unittest import mock

import psycopg
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.test import SimpleTestCase, TestCase, override_settings

from databases import postgresql_pool, serving
from databases.postgresql_pool import LimitedConnection, pool_options
from databases.tests import production


class ProcessTests(SimpleTestCase):
    def test_a_web_process_has_a_pool_of_the_size_in_the_settings(self):
        show = """
import config.wsgi, json
from django.conf import settings
from django.db import connections
found = connections.settings["default"]
print(json.dumps([found["CONN_MAX_AGE"], found["OPTIONS"]["pool"]["max_size"] - settings.DATABASE_POOL_SIZE]))
"""
        self.assertEqual(production.run(show, DATABASE_URL="postgresql://ann:x@db.example.com/shop"), [0, 0])


@override_settings(DATABASE_STATEMENT_SECONDS=10, DATABASE_POOL_SIZE=2)
class PoolTests(TestCase):
    def setUp(self) -> None:
        if connection.vendor != "postgresql":
            self.skipTest("The tests run on another engine.")
        self.addCleanup(self.wrapper().close_pool)

    def wrapper(self, **pool: Any) -> Any:
        """Return a connection to the test database, as another thread of a web process has it."""
        config = connection.settings_dict
        options = {**config["OPTIONS"], "pool": {**pool_options(), **pool}}
        return load_backend(config["ENGINE"]).DatabaseWrapper(
            {**config, "OPTIONS": options, "CONN_MAX_AGE": 0}, "pooled"
        )

    def session(self, wrapper: BaseDatabaseWrapper) -> int:
        return self.ask(wrapper, "SELECT pg_backend_pid()")

    def ask(self, wrapper: BaseDatabaseWrapper, sql: str) -> Any:
        with wrapper.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def end(self, session: int) -> None:
        """End a session at the server. It may still work for a client that has left."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 60000)", [session])

    def test_one_request_after_another_uses_one_session(self):
        sessions = set()
        for _ in range(5):
            wrapper = self.wrapper()
            sessions.add(self.session(wrapper))
            wrapper.close()
        self.assertEqual(len(sessions), 1)

    def test_a_request_that_finds_no_free_connection_gets_an_error(self):
        first, second, third = (self.wrapper(timeout=0.2) for _ in range(3))
        self.assertNotEqual(self.session(first), self.session(second))
        with self.assertRaises(OperationalError) as caught:
            self.session(third)
        # As from a server that cannot be reached.
        self.assertIsNone(caught.exception.__cause__.sqlstate)
        first.close()
        self.session(third)
        second.close()
        third.close()

    def test_the_server_ends_a_slow_statement(self):
        with override_settings(DATABASE_STATEMENT_SECONDS=1):
            wrapper = self.wrapper()
            with self.assertRaises(OperationalError) as caught:
                self.ask(wrapper, "SELECT 1 FROM pg_sleep(50)")
        self.assertIsInstance(caught.exception.__cause__, psycopg.errors.QueryCanceled)
        self.assertEqual(self.ask(wrapper, "SELECT 1"), 1)
        wrapper.close()

    def test_a_limit_in_the_url_wins(self):
        options = "-c statement_timeout=90s"
        for given, limit in ((None, 12), (options, 92), ("-c statement_timeout=0", math.inf)):
            wrapper = self.wrapper()
            wrapper.settings_dict["OPTIONS"]["options"] = given
            self.assertEqual(self.ask(wrapper, "SHOW statement_timeout"), {12: "10s", 92: "90s"}.get(limit, "0"))
            self.assertEqual(wrapper.connection.answer_seconds, limit)
            wrapper.close_pool()

    def test_a_connection_that_gets_no_answer_closes_itself(self):
        wrapper = self.wrapper()
        first = self.session(wrapper)
        wrapper.connection.answer_seconds = 0.3
        with self.assertRaisesMessage(OperationalError, "the server sent nothing for 0.3 seconds"):
            self.ask(wrapper, "SELECT 1 FROM pg_sleep(50)")
        self.assertTrue(wrapper.connection.closed)
        self.end(first)
        wrapper.close()
        self.assertNotEqual(self.session(wrapper), first)
        wrapper.close()

    def test_a_free_connection_that_no_longer_answers_is_replaced(self):
        wrapper = self.wrapper()
        first = self.session(wrapper)
        wrapper.close()

        execute = psycopg.Connection.execute

        def ask(session: LimitedConnection, query: str, *args: Any) -> Any:
            # The check is an empty statement.
            return execute(session, query or f"SELECT pg_sleep(50) WHERE pg_backend_pid() = {first}", *args)

        with (
            mock.patch.object(psycopg.Connection, "execute", ask),
            mock.patch.object(postgresql_pool, "CHECK_SECONDS", 0.3),
        ):
            self.assertNotEqual(self.session(wrapper), first)
        self.end(first)
        wrapper.close()

    @override_settings(DATABASE_POOL_SIZE=5)
    def test_the_first_request_after_a_restart_of_the_server_succeeds(self):
        wrappers = [self.wrapper() for _ in range(5)]
        sessions = {self.session(wrapper) for wrapper in wrappers}
        for wrapper in wrappers:
            wrapper.close()
        for session in sessions:
            self.end(session)
        self.assertNotIn(self.session(wrappers[0]), sessions)
        wrappers[0].close()

    def test_a_server_that_refuses_connections_is_an_error_at_once(self):
        # The answer does not depend on the time that a request waits for a free connection.
        wrapper = self.wrapper(timeout=50)
        wrapper.settings_dict["NAME"] = "no_such_database"
        with self.assertRaisesMessage(OperationalError, "cannot connect"), self.assertLogs("psycopg.pool", "WARNING"):
            self.session(wrapper)
        wrapper.settings_dict["NAME"] = connection.settings_dict["NAME"]

    def test_a_fork_finds_no_open_pool(self):
        wrapper = self.wrapper()
        self.session(wrapper)
        pool = wrapper.pool
        wrapper.close()
        with mock.patch.object(serving, "connections", mock.Mock(all=lambda: [wrapper])):
            serving.close_pools()
        self.assertTrue(pool.closed)
        self.session(wrapper)
        wrapper.close()
