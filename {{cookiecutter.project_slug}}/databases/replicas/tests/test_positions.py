"""Positions in the primary's log, and what a replica must show before it may answer."""

import time
from decimal import Decimal
from unittest import mock

from django.db import OperationalError, ProgrammingError, connection
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from databases.replicas import positions, watch
from databases.replicas.positions import Answer, Mark, as_text
from databases.tests.notebook.models import Note


class MarkTests(SimpleTestCase):
    def reached(self, mark: Mark, *answers: Answer) -> list[bool]:
        return [mark.is_reached(answer) for answer in answers]

    def test_a_position_decides_if_both_are_known(self):
        answers = [Answer(position, timeline=1) for position in (9, 10, 11)]
        self.assertEqual(self.reached(Mark(1, 10, 0.0), *answers), [False, True, True])

    def test_an_earlier_timeline_shows_nothing_of_a_later_one(self):
        self.assertEqual(self.reached(Mark(2, 10, 0.0), Answer(99, 1), Answer(10, 2)), [False, True])

    def test_a_later_timeline_has_what_was_not_lost_of_an_earlier_one(self):
        self.assertEqual(self.reached(Mark(1, 99, 0.0), Answer(10, 2)), [True])

    def test_without_a_timeline_positions_decide(self):
        self.assertEqual(self.reached(Mark(0, 10, 0.0), Answer(9, 2), Answer(10, 2)), [False, True])
        self.assertEqual(self.reached(Mark(2, 10, 0.0), Answer(9, 0), Answer(10, 0)), [False, True])

    @override_settings(REPLICA_PIN_SECONDS=600)
    def test_time_decides_if_a_position_is_unknown(self):
        now = time.time()
        self.assertEqual(self.reached(Mark(1, None, now - 300), Answer(100, 1), Answer()), [False, False])
        self.assertEqual(self.reached(Mark(1, 10, now - 300), Answer()), [False])
        self.assertEqual(self.reached(Mark(1, None, now - 900), Answer(100, 1), Answer()), [True, True])
        self.assertEqual(self.reached(Mark(1, 10, now - 900), Answer()), [True])

    def test_positions_are_shown_as_postgresql_writes_them(self):
        self.assertEqual(as_text(0x16B374D848), "16/B374D848")
        self.assertIsNone(as_text(None))


class PrimaryTests(TransactionTestCase):
    def test_a_write_moves_the_mark_forward(self):
        before = positions.mark_now()
        Note.objects.create(text="mine")
        after = positions.mark_now()
        if connection.vendor == "postgresql":
            self.assertGreater(after.position, before.position)
            self.assertGreater(after.timeline, 0)
        else:
            self.assertEqual(after[:2], (0, None))
        self.assertGreaterEqual(after.at, before.at)

    def test_while_the_primary_is_down_only_the_time_is_known(self):
        with mock.patch.object(positions, "_row", side_effect=OperationalError):
            self.assertEqual(positions.mark_now(at=5.0), Mark(0, None, 5.0))

    def test_a_primary_does_not_follow(self):
        answer = positions.ask(connection)
        self.assertEqual(answer.follows, connection.vendor != "postgresql")
        self.assertEqual(
            bool(answer.cluster and answer.timeline and answer.position), connection.vendor == "postgresql"
        )
        self.assertEqual(watch.has_positions(), connection.vendor == "postgresql")

    @override_settings(REPLICA_ANSWER_SECONDS=3)
    def test_a_question_limits_how_long_a_connection_of_a_web_process_waits(self):
        session = mock.MagicMock()
        closed = mock.MagicMock(connection=None)
        closed.ensure_connection.side_effect = lambda: setattr(closed, "connection", session)
        positions._row(closed, "SELECT 1")
        session.limited_to.assert_called_once_with(3)

    def test_what_servers_say_is_understood(self):
        file = "0000001A000000160000000B"
        for row, answer in (
            ((True, Decimal(5), None, 7, 2), Answer(5, 2, 7, follows=True)),
            ((True, None, None, None, None), Answer(None, 0, None, follows=True)),
            ((False, Decimal(5), file, 7, None), Answer(5, 26, 7, follows=False)),
        ):
            with mock.patch.object(positions, "_row", return_value=row):
                self.assertEqual(positions.ask(mock.Mock(vendor="postgresql")), answer)
        with (
            mock.patch.object(positions, "_row", return_value=(file, Decimal(5))),
            mock.patch.object(connection, "vendor", "postgresql"),
        ):
            self.assertEqual(positions.mark_now(at=3.0), Mark(26, 5, 3.0))

    def test_one_that_may_not_be_asked_for_its_identity_is_asked_for_the_rest(self):
        rows = [ProgrammingError, (True, Decimal(5), None)]
        with mock.patch.object(positions, "_row", side_effect=rows) as row:
            self.assertEqual(positions.ask(mock.Mock(vendor="postgresql")), Answer(5, 0, None, follows=True))
        self.assertEqual(row.call_args[0][1], positions.STATUS)
