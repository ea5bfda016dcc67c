"""A frozen database is read-only for every process, and can be written to again after `thaw`."""

from __future__ import annotations

import threading
import time

from django.db import DatabaseError

from databases.fleet.freeze import freeze, thaw
from databases.fleet.tests.two_servers import READ_ONLY, FleetTestCase

WRITE = "INSERT INTO thing (name) VALUES ('pie')"


class FreezeTests(FleetTestCase):
    def test_a_session_from_during_the_freeze_writes_afterwards(self):
        other = self.connect()
        freeze("tenant_acme", self.source, 1)
        with other.cursor() as cursor, self.assert_sqlstate(READ_ONLY):
            cursor.execute(WRITE)
        thaw("tenant_acme", self.source)
        try:
            other.cursor().execute(WRITE)
        except DatabaseError:
            # Its session was ended: the next request opens another one, as Django does it.
            other.close_if_unusable_or_obsolete()
            other.cursor().execute(WRITE)
        self.assertIn("pie", self.names())

    def test_an_open_transaction_has_its_time_to_end(self):
        for given, is_written in ((10, True), (0, False)):
            with self.subTest(given=given):
                self.sql("DELETE FROM thing WHERE name = 'pie'")
                other = self.connect()
                other.set_autocommit(False)
                other.cursor().execute(WRITE)
                freezing = threading.Thread(target=freeze, args=("tenant_acme", self.source, given))
                freezing.start()
                time.sleep(0.3)
                try:
                    other.commit()
                except DatabaseError:
                    self.assertFalse(is_written)
                other.close()
                freezing.join()
                thaw("tenant_acme", self.source)
                self.assertEqual("pie" in self.names(), is_written)
