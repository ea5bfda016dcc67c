"""A closed database lets nobody in but the operation, and is as before when it is opened again."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import sleep
from unittest import mock

from django.db import DatabaseError

from databases.fleet.archive import new_password
from databases.fleet.closing import close, open_again, seal
from databases.fleet.tests.two_servers import FleetTestCase

WRITE = "INSERT INTO thing (name) VALUES ('pie')"


class ClosingTests(FleetTestCase):
    def test_only_the_operation_gets_in_and_the_tenant_does_again_afterwards(self):
        sessions = [self.connect(each) for each in (self.config(), self.source)]
        for before in sessions:
            before.ensure_connection()
        config = close(self.row(), new_password(), 1)
        for before in sessions:
            with self.assertRaises(DatabaseError), before.cursor() as cursor:
                cursor.execute("SELECT 1")
        with self.assertRaises(DatabaseError):
            self.sql("SELECT 1")
        self.assertEqual(self.sql("SELECT count(*) FROM thing", config=config), [(3,)])
        open_again(self.row(), self.source)
        self.sql(WRITE)
        with self.assertRaises(DatabaseError):
            self.sql("SELECT 1", config=config)

    def test_a_process_may_use_the_row_that_it_cached_until_the_wait_is_over(self):
        def wait() -> None:
            self.sql(WRITE)

        with mock.patch("databases.fleet.closing.wait_for_caches", wait):
            config = close(self.row(), new_password(), 1)
        self.assertEqual(self.sql("SELECT count(*) FROM thing", config=config), [(4,)])
        open_again(self.row(), self.source)

    def test_a_sealed_database_lets_nobody_in_and_can_be_closed_and_opened(self):
        config = close(self.row(), new_password(), 1)
        before = self.connect(config)
        before.ensure_connection()
        seal(self.row(), self.source)
        with self.assertRaises(DatabaseError), before.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.assert_closed(config)
        self.assertEqual(self.roles(), {"": False, "_a": False, "_b": False})
        config = close(self.row(), new_password(), 1)
        self.assertEqual(self.sql("SELECT count(*) FROM thing", config=config), [(3,)])
        seal(self.row(), self.source)
        open_again(self.row(), self.source)
        self.sql(WRITE)

    def test_an_open_transaction_has_its_time_to_end(self):
        for given, is_written in ((10, True), (0, False)):
            with self.subTest(given=given):
                self.sql("DELETE FROM thing WHERE name = 'pie'")
                other, looked = self.connect(), threading.Event()
                other.set_autocommit(False)
                other.cursor().execute(WRITE)

                def pause(seconds: float, looked: threading.Event = looked) -> None:
                    looked.set()
                    sleep(seconds)

                closing = threading.Thread(target=close, args=(self.row(), new_password(), given))
                with mock.patch("databases.fleet.closing.time.sleep", pause):
                    closing.start()
                    if is_written:
                        self.assertTrue(looked.wait(10))
                    else:
                        closing.join()
                    with suppress(DatabaseError):
                        other.commit()
                    other.close()
                    closing.join()
                open_again(self.row(), self.source)
                self.assertEqual("pie" in self.names(), is_written)
