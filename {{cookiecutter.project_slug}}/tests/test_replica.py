"""Reads go to a replica, and never into the past."""

import asyncio
import time
from unittest import mock

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection, connections, router, transaction
from django.test import TestCase, TransactionTestCase

from databases.replica import health, use_primary, use_replica
from notes.models import Note


def reads_from(**hints: object) -> str:
    return router.db_for_read(Note, **hints)


class RoutingTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        health._retry_at.clear()

    def test_commands_and_tasks_read_from_the_primary_unless_they_ask(self):
        self.assertEqual(reads_from(), "default")
        with use_replica():
            self.assertEqual(reads_from(), "replica")
        self.assertEqual(reads_from(), "default")

    def test_writes_go_to_the_primary(self):
        with use_replica():
            self.assertEqual(router.db_for_write(Note), "default")

    def test_inside_a_transaction_reads_stay_on_the_primary(self):
        with use_replica(), transaction.atomic():
            self.assertEqual(reads_from(), "default")

    def test_after_a_write_reads_stay_on_the_primary(self):
        with use_replica():
            Note.objects.create(text="mine")
            self.assertEqual(reads_from(), "default")

    def test_a_raw_write_counts_as_a_write(self):
        with use_replica():
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM notes_note")
            self.assertEqual(reads_from(), "default")

    def test_a_read_does_not_count_as_a_write(self):
        with use_replica():
            list(Note.objects.using("default"))
            self.assertEqual(reads_from(), "replica")

    def test_a_write_in_an_inner_block_counts_in_the_outer_one(self):
        with use_replica():
            with use_primary():
                Note.objects.create(text="mine")
            self.assertEqual(reads_from(), "default")

    def test_an_inner_block_cannot_undo_the_pin_of_the_outer_one(self):
        with use_replica():
            Note.objects.create(text="mine")
            with use_replica():
                self.assertEqual(reads_from(), "default")

    def test_objects_from_the_primary_are_followed_on_the_primary(self):
        note = Note.objects.create(text="mine")
        with use_replica():
            self.assertEqual(reads_from(instance=note), "default")
            self.assertEqual(reads_from(instance=Note(text="new")), "replica")

    def test_who_is_logged_in_is_read_from_the_primary(self):
        with use_replica():
            for model in (User, Permission, Session, ContentType, LogEntry):
                with self.subTest(model.__name__):
                    self.assertEqual(router.db_for_read(model), "default")

    def test_an_object_from_a_replica_may_point_to_one_from_the_primary(self):
        one, two = Note(), Note()
        one._state.db, two._state.db = "replica", "default"
        self.assertTrue(router.allow_relation(one, two))

    def test_nothing_is_migrated_on_a_replica(self):
        self.assertFalse(router.allow_migrate("replica", "notes"))
        self.assertTrue(router.allow_migrate("default", "notes"))

    def test_blocks_nest_and_end_with_an_exception(self):
        with use_replica():
            with self.assertRaises(ZeroDivisionError), use_primary():
                self.assertEqual(reads_from(), "default")
                1 / 0  # noqa: B018
            self.assertEqual(reads_from(), "replica")

    def test_a_coroutine_may_ask_for_a_replica(self):
        async def ask() -> str:
            with use_replica():
                return reads_from()

        self.assertEqual(asyncio.run(ask()), "replica")

    def test_tasks_on_one_thread_do_not_see_one_anothers_choice(self):
        async def both() -> list[str]:
            entered, done = asyncio.Event(), asyncio.Event()

            async def inside() -> str:
                with use_replica():
                    entered.set()
                    await done.wait()
                    return reads_from()

            async def outside() -> str:
                await entered.wait()
                alias = reads_from()
                done.set()
                return alias

            return list(await asyncio.gather(inside(), outside()))

        self.assertEqual(asyncio.run(both()), ["replica", "default"])


class HealthTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        health._retry_at.clear()
        self.addCleanup(health._retry_at.clear)

    def test_a_dead_replica_is_skipped_and_tried_again_later(self):
        down = mock.patch.object(connections["replica"], "ensure_connection", side_effect=OperationalError("down"))
        with down as attempt, self.assertLogs("databases.replica.health", "WARNING") as logs:
            self.assertEqual(health.pick(), "default")
            self.assertEqual(health.pick(), "default")
        self.assertEqual(attempt.call_count, 1)
        self.assertIn("OperationalError", logs.output[0])
        with mock.patch("time.monotonic", return_value=time.monotonic() + 60):
            self.assertEqual(health.pick(), "replica")

    def test_another_replica_answers_for_a_dead_one(self):
        two = mock.patch.object(health, "aliases", return_value=["replica", "replica_2"])
        with two, mock.patch.object(health, "_answers", lambda alias: alias == "replica_2"):
            # Often, because the order is random.
            self.assertEqual({health.pick() for _ in range(20)}, {"replica_2"})

    def test_a_connection_that_was_lost_is_not_taken_for_an_answer(self):
        with mock.patch.object(connections["replica"], "close_if_unusable_or_obsolete") as sweep:
            health.pick()
        sweep.assert_called_once_with()

    def test_the_replicas_are_the_aliases_of_that_name(self):
        self.assertEqual(health.aliases(), ["replica"])
        self.assertTrue(health.is_replica("replica_2"))
        self.assertFalse(health.is_replica("default"))

    def test_without_replicas_everything_is_the_primary(self):
        with mock.patch.object(health, "aliases", return_value=[]), use_replica():
            self.assertEqual(reads_from(), "default")


class TestCaseTests(TestCase):
    databases = {"default", "replica"}

    def test_a_test_case_sees_its_own_rows_without_tricks(self):
        Note.objects.create(text="not committed")
        with use_replica():
            self.assertEqual(Note.objects.get().text, "not committed")
