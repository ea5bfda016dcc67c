"""Positions in the primary's log, and the writes that a replica must show before it may answer."""

import gc
import time
from unittest import mock

from django.db import OperationalError, connection, connections
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from databases.replicas import positions
from databases.replicas.pinning import RequestState
from databases.replicas.positions import WritePosition, as_text
from databases.tests.notebook.models import Note


class WritePositionTests(SimpleTestCase):
    def test_a_position_decides_if_both_are_known(self):
        old = WritePosition(10, at=0.0)
        self.assertEqual([old.is_reached(position) for position in (9, 10, 11)], [False, True, True])

    @override_settings(REPLICA_PIN_SECONDS=600)
    def test_time_decides_if_one_is_unknown(self):
        now = time.time()
        self.assertFalse(WritePosition(None, now - 300).is_reached(100))
        self.assertFalse(WritePosition(10, now - 300).is_reached(None))
        self.assertTrue(WritePosition(None, now - 900).is_reached(100))
        self.assertTrue(WritePosition(10, now - 900).is_reached(None))

    def test_positions_are_shown_as_postgresql_writes_them(self):
        self.assertEqual(as_text(0x16B374D848), "16/B374D848")
        self.assertIsNone(as_text(None))


class PrimaryTests(TransactionTestCase):
    def test_a_write_moves_the_position_forward(self):
        before = positions.current_position()
        Note.objects.create(text="mine")
        after = positions.current_position()
        if connection.vendor == "postgresql":
            self.assertGreater(after.position, before.position)
        else:
            self.assertIsNone(after.position)
        self.assertGreaterEqual(after.at, before.at)

    def test_while_the_primary_is_down_only_the_time_is_known(self):
        with mock.patch.object(positions, "_position_at_primary", side_effect=OperationalError):
            self.assertIsNone(positions.current_position().position)


class RequestStateTests(TransactionTestCase):
    def test_without_a_write_there_is_no_position(self):
        self.assertIsNone(RequestState().write_position())

    def test_the_position_is_asked_for_once_until_the_next_write(self):
        state = RequestState()
        state.note_write(connections["default"])
        with mock.patch(
            "databases.replicas.pinning.current_position", side_effect=[WritePosition(1, 0.0), WritePosition(2, 0.0)]
        ):
            self.assertEqual([state.write_position(), state.write_position()], [WritePosition(1, 0.0)] * 2)
            state.note_write(connections["default"])
            self.assertEqual(state.write_position(), WritePosition(2, 0.0))

    def test_the_position_is_not_cached_while_a_writer_is_in_a_transaction(self):
        state, writer = RequestState(), mock.Mock(in_atomic_block=True)
        state.note_write(writer)
        with mock.patch(
            "databases.replicas.pinning.current_position", side_effect=[WritePosition(1, 0.0), WritePosition(2, 0.0)]
        ):
            self.assertEqual(
                [state.write_position(), state.write_position()], [WritePosition(1, 0.0), WritePosition(2, 0.0)]
            )

    def test_a_write_of_a_thread_that_has_ended_counts_in_the_outer_block(self):
        outer, inner = RequestState(), RequestState()
        inner.note_write(mock.Mock())
        gc.collect()
        outer.note_writes_of(inner)
        self.assertTrue(outer.has_written)
