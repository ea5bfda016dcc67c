"""`atomic_for` opens the transaction where the writes of a model go."""

from django.db import IntegrityError, connection, transaction
from django.test import TestCase, TransactionTestCase

from databases import atomic_for, on_commit_for
from databases.tests.notebook.models import Note


class AtomicForTests(TransactionTestCase):
    def test_an_error_rolls_the_writes_back(self):
        with self.assertRaises(ZeroDivisionError), atomic_for(Note):
            Note.objects.create(text="not to stay")
            1 / 0  # noqa: B018
        self.assertFalse(Note.objects.exists())

    def test_it_is_a_transaction_on_the_database_of_the_model(self):
        self.assertFalse(connection.in_atomic_block)
        with atomic_for(Note):
            self.assertTrue(connection.in_atomic_block)

    def test_work_waits_for_the_commit_on_the_database_of_the_model(self):
        done: list[str] = []
        with atomic_for(Note):
            on_commit_for(Note, lambda: done.append("work"))
            self.assertEqual(done, [])
        self.assertEqual(done, ["work"])

    def test_work_that_fails_stops_the_rest_unless_it_is_robust(self):
        done: list[str] = []
        with self.assertLogs("django.db", "ERROR"), atomic_for(Note):
            on_commit_for(Note, lambda: 1 / 0, robust=True)
            on_commit_for(Note, lambda: done.append("work"))
        self.assertEqual(done, ["work"])
        with self.assertRaises(ZeroDivisionError), atomic_for(Note):
            Note.objects.create(text="to stay")
            on_commit_for(Note, lambda: 1 / 0)
            on_commit_for(Note, lambda: done.append("more"))
        self.assertEqual((done, Note.objects.count()), (["work"], 1))

    def test_durable_is_passed_on(self):
        with self.assertRaises(RuntimeError), transaction.atomic(), atomic_for(Note, durable=True):
            pass


class SavepointTests(TestCase):
    def test_an_inner_error_undoes_the_inner_block_alone(self):
        Note.objects.create(pk=1, text="outer")
        with self.assertRaises(IntegrityError), atomic_for(Note):
            Note.objects.create(pk=1, text="the same key")
        self.assertEqual(Note.objects.get().text, "outer")
