"""A pool bounds the sessions of a web process, and none of its connections waits without limit."""

import math
from itertools import count
from typing import Any
from unittest import mock

import psycopg
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.test import SimpleTestCase, TestCase, override_settings
from psycopg import IsolationLevel

from databases import postgresql_pool, report, serving
from databases.postgresql_pool import LimitedConnection, pool_options, refuse_waiting
from databases.tests import production


class ProcessTests(SimpleTestCase):
    def test_a_web_process_has_a_pool_of_the_size_in_the_settings(self):
        show = f"""
import {production.PACKAGE}.wsgi, json
from django.conf import settings
from django.db import connections
found = connections.settings["default"]
pool = found["OPTIONS"]["pool"]
print(json.dumps([found["CONN_MAX_AGE"], pool["max_size"] - settings.DATABASE_POOL_SIZE, pool["timeout"]]))
"""
        self.assertEqual(production.run(show, DATABASE_URL="postgresql://ann:x@db.example.com/shop"), [0, 0, 5])


class WaitTests(SimpleTestCase):
    def test_only_silence_for_the_whole_limit_is_an_error(self):
        session = mock.Mock(answer_seconds=12, given_up_at=-math.inf)
        with mock.patch.object(postgresql_pool, "monotonic", return_value=0) as clock:
            waiting = LimitedConnection._limited(session, (None for _ in count()))
            next(waiting)
            for clock.return_value, ready in ((11, 1), (20, 0)):
                waiting.send(ready)
            clock.return_value = 24
            self.assertRaises(psycopg.OperationalError, waiting.send, 0)
        session.close.assert_called_once_with()

    def test_a_wait_for_a_server_that_is_known_to_hang_is_given_up(self):
        session = mock.Mock(answer_seconds=math.inf, given_up_at=-math.inf)
        with mock.patch.object(postgresql_pool, "monotonic", return_value=10) as clock:
            old = LimitedConnection._limited(session, (None for _ in count()))
            next(old)
            old.send(0)
            clock.return_value = session.given_up_at = 20
            new = LimitedConnection._limited(session, (None for _ in count()))
            next(new)
            new.send(0)
            self.assertRaises(psycopg.OperationalError, old.send, 0)

    def test_requests_wait_while_the_pool_has_a_connection(self):
        request = mock.Mock()
        for size, failed in ((1, False), (0, True)):
            refuse_waiting(mock.Mock(get_stats=lambda size=size: {"pool_size": size}, _waiting=[request]))
            self.assertEqual(request.fail.called, failed)


#: What a request can change in its session.
STATE = """
SELECT json_build_object(
    'session', pg_backend_pid(),
    'timezone', current_setting('TimeZone'),
    'role', current_setting('role'),
    'limit', current_setting('statement_timeout'),
    'schema', current_setting('search_path'),
    'user', coalesce(current_setting('app.user', true), ''),
    'read_only', current_setting('default_transaction_read_only'),
    'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    'table', to_regclass('pg_temp.kept')
)
"""
CHANGES = {
    "timezone": "SET TIME ZONE 'America/Lima'",
    "role": "SET ROLE NONE",
    "limit": "SET statement_timeout = 0",
    "schema": "SET search_path = other",
    "user": "SELECT set_config('app.user', 'ann', false)",
    "read_only": "SET default_transaction_read_only = on",
    "locks": "SELECT pg_advisory_lock(42)",
    "table": "CREATE TEMP TABLE kept ()",
}


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
            {**config, "OPTIONS": options, "CONN_MAX_AGE": 0}, "default"
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

    def test_the_report_shows_how_many_connections_are_in_use(self) -> None:
        wrapper = self.wrapper()
        self.addCleanup(wrapper.close)
        with mock.patch.object(report, "connections", {"default": wrapper}):
            found = report.report_on("default")
        self.assertIn("1 of 2 connections in use by this process", found.facts)

    def test_one_request_after_another_uses_one_session(self):
        sessions = set()
        for _ in range(5):
            # The next request would get a new session while the pool resets this one.
            wrapper = self.wrapper(max_size=1)
            sessions.add(self.session(wrapper))
            # Neither the reset nor the check has left its own limit.
            self.assertEqual(wrapper.connection.answer_seconds, 12)
            wrapper.close()
        self.assertEqual(len(sessions), 1)

    def test_a_request_finds_nothing_that_another_changed_in_the_session(self):
        wrapper = self.wrapper(max_size=1, timeout=50)
        wrapper.settings_dict["TIME_ZONE"] = "Asia/Tokyo"
        role = self.ask(connection, "SELECT session_user")
        wrapper.settings_dict["OPTIONS"]["options"] = f"-c role={role}"
        found = self.ask(wrapper, STATE)
        self.assertLessEqual({"timezone": "Asia/Tokyo", "role": role, "limit": "10s"}.items(), found.items())
        for changed, sql in CHANGES.items():
            with self.subTest(sql):
                with wrapper.cursor() as cursor:
                    cursor.execute(sql)
                self.assertNotEqual(self.ask(wrapper, STATE)[changed], found[changed])
                wrapper.close()
                self.assertEqual(self.ask(wrapper, STATE), found)
        wrapper.connection.autocommit = False
        wrapper.connection.isolation_level = IsolationLevel.SERIALIZABLE
        wrapper.connection.read_only = wrapper.connection.deferrable = True
        wrapper.close()
        self.assertEqual(self.ask(wrapper, STATE), found)
        session = wrapper.connection
        self.assertEqual((session.isolation_level, session.read_only, session.deferrable), (None, None, None))
        wrapper.close()

    def test_a_statement_that_was_prepared_for_another_request_is_prepared_again(self):
        wrapper = self.wrapper(max_size=1)
        wrapper.settings_dict["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 1}
        for _ in range(4):
            self.session(wrapper)
            wrapper.close()

    def test_a_connection_that_cannot_be_reset_is_replaced(self):
        wrapper = self.wrapper(max_size=1)
        first = self.session(wrapper)
        execute = psycopg.Connection.execute

        def ask(session: LimitedConnection, query: str, *args: Any) -> Any:
            return execute(session, "SELECT pg_sleep(50)" if query == "DISCARD ALL" else query, *args)

        with (
            mock.patch.object(psycopg.Connection, "execute", ask),
            mock.patch.object(postgresql_pool, "CHECK_SECONDS", 0.3),
            self.assertLogs("psycopg.pool", "WARNING"),
        ):
            wrapper.close()
            self.assertNotEqual(self.session(wrapper), first)
        self.end(first)
        wrapper.close()

    def test_a_request_that_finds_no_free_connection_gets_an_error(self):
        first, second, third = (self.wrapper(timeout=1) for _ in range(3))
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
        with self.assertRaisesMessage(OperationalError, "the server sent nothing for 0."):
            self.ask(wrapper, "SELECT 1 FROM pg_sleep(50)")
        self.assertTrue(wrapper.connection.closed)
        self.end(first)
        wrapper.close()
        self.assertNotEqual(self.session(wrapper), first)
        wrapper.close()

    def test_a_free_connection_that_no_longer_answers_is_replaced(self):
        wrapper = self.wrapper(reset=None)
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
        wrappers = [self.wrapper(reset=None) for _ in range(5)]
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
        with mock.patch.object(serving, "connections", mock.Mock(all=lambda: [wrapper], close_all=wrapper.close)):
            serving.close_pools()
        self.assertIsNone(wrapper.connection)
        self.assertTrue(pool.closed)
        self.session(wrapper)
        wrapper.close()
