"""A lock on PostgreSQL lasts as long as a transaction of its own connection, through poolers too, and disturbs none."""

from contextlib import ExitStack
from typing import Any
from unittest import mock

from django.db import connection
from django.test import TestCase
from psycopg import IsolationLevel

from databases import locks
from databases.locks import lock

#: What could end the transaction of a lock, or hold back VACUUM.
OPTIONS = {
    "options": "-c statement_timeout=20s -c idle_in_transaction_session_timeout=20s",
    "isolation_level": IsolationLevel.REPEATABLE_READ,
    "pool": True,
}
OTHERS = """
SELECT state, backend_xmin FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""
#: A transaction that does nothing, and has no snapshot.
IDLE = ("idle in transaction", None)
LIMITS = "SELECT name, setting FROM pg_settings WHERE name IN (%s, 'statement_timeout', 'transaction_timeout')"
BUSY = RuntimeError("busy")


def ask(connection: Any, sql: str, *values: object) -> list[Any]:
    with connection.cursor() as cursor:
        # Otherwise PostgreSQL shows the sessions as they were when this transaction first asked.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(sql, values)
        return list(cursor.fetchall())


class LockTests(TestCase):
    def own(self, **options: Any) -> Any:
        """Return the connection that the next lock will get."""
        own = connection.copy()
        own.settings_dict["OPTIONS"] |= options
        copies = mock.patch.object(connection, "copy", side_effect=[own, connection.copy()])
        copies.start()
        self.addCleanup(copies.stop)
        return own

    def test_its_transaction_has_no_limit_and_no_snapshot(self):
        own = self.own(**OPTIONS)
        if connection.pg_version >= 170000:
            own.settings_dict["OPTIONS"]["options"] += " -c transaction_timeout=20s"
        with lock(connection, "work", BUSY):
            self.assertEqual(ask(connection, OTHERS), [IDLE])
            found = dict(ask(own, LIMITS, "idle_in_transaction_session_timeout"))
            self.assertEqual({*found.values()}, {"0"}, found)
        self.assertIsNone(own.connection)

    def test_it_ends_with_its_transaction(self):
        """A pooler then gives the session to others."""
        own = self.own()
        with lock(connection, "work", BUSY):
            own.rollback()
            with lock(connection, "work", BUSY):
                self.assertEqual(ask(connection, OTHERS), [IDLE])

    def test_a_lost_session_does_not_fail_the_work(self):
        own = self.own()
        with lock(connection, "work", BUSY):
            ((pid,),) = ask(own, "SELECT pg_backend_pid()")
            ask(connection, "SELECT pg_terminate_backend(%s, 60000)", pid)
        self.assertIsNone(own.connection)

    def test_a_process_waits_without_a_snapshot_until_the_other_one_ends(self):
        """Otherwise CREATE INDEX CONCURRENTLY of the first process would wait for the second, which waits for it."""
        seen = []
        with ExitStack() as first:
            first.enter_context(lock(connection, "work", BUSY))

            def pause() -> None:
                seen.extend(ask(connection, OTHERS))
                first.close()

            with mock.patch.object(locks, "pause", pause), lock(connection, "work", BUSY, wait=60):
                self.assertEqual(ask(connection, OTHERS), [IDLE])
        self.assertEqual(seen, [IDLE, IDLE])
