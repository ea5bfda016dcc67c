"""Positions in the primary's log, and the mark of a write that a replica must have come to."""

import gc
import time
from unittest import mock

from django.db import OperationalError, connection, connections
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from databases.replica import positions
from databases.replica.pinning import Work
from databases.replica.positions import Mark, as_text
from notes.models import Note


class MarkTests(SimpleTestCase):
    def test_a_position_decides_where_both_are_known(self):
        old = Mark(10, at=0.0)
        self.assertEqual([old.is_reached(position) for position in (9, 10, 11)], [False, True, True])

    @override_settings(REPLICA_PIN_SECONDS=600)
    def test_time_decides_where_one_is_not(self):
        now = time.time()
        self.assertFalse(Mark(None, now - 300).is_reached(100))
        self.assertFalse(Mark(10, now - 300).is_reached(None))
        self.assertTrue(Mark(None, now - 900).is_reached(100))
        self.assertTrue(Mark(10, now - 900).is_reached(None))

    def test_positions_are_shown_as_postgresql_writes_them(self):
        self.assertEqual(as_text(0x16B374D848), "16/B374D848")
        self.assertIsNone(as_text(None))


class PrimaryTests(TransactionTestCase):
    def test_the_mark_of_a_write_lies_behind_the_one_before_it(self):
        before = positions.mark()
        Note.objects.create(text="mine")
        after = positions.mark()
        if connection.vendor == "postgresql":
            self.assertGreater(after.position, before.position)
        else:
            self.assertIsNone(after.position)
        self.assertGreaterEqual(after.at, before.at)

    def test_a_primary_that_went_away_leaves_a_mark_by_time(self):
        with mock.patch.object(positions, "_asked", side_effect=OperationalError):
            self.assertIsNone(positions.mark().position)


class WorkTests(TransactionTestCase):
    def test_without_a_write_there_is_no_mark(self):
        self.assertIsNone(Work().mark())

    def test_the_mark_is_asked_for_once_until_the_next_write(self):
        work = Work()
        work.note_write(connections["default"])
        with mock.patch("databases.replica.pinning.mark", side_effect=[Mark(1, 0.0), Mark(2, 0.0)]):
            self.assertEqual([work.mark(), work.mark()], [Mark(1, 0.0)] * 2)
            work.note_write(connections["default"])
            self.assertEqual(work.mark(), Mark(2, 0.0))

    def test_while_a_writer_has_not_committed_the_mark_is_not_kept(self):
        work, writer = Work(), mock.Mock(in_atomic_block=True)
        work.note_write(writer)
        with mock.patch("databases.replica.pinning.mark", side_effect=[Mark(1, 0.0), Mark(2, 0.0)]):
            self.assertEqual([work.mark(), work.mark()], [Mark(1, 0.0), Mark(2, 0.0)])

    def test_a_write_of_a_thread_that_has_ended_counts_outside_of_its_block(self):
        outer, inner = Work(), Work()
        inner.note_write(mock.Mock())
        gc.collect()
        outer.note_writes_of(inner)
        self.assertTrue(outer.has_written)
