"""No object that was read from a replica is saved: its columns may be older than the primary's."""

import copy
import pickle

from django.core import serializers
from django.db import transaction
from django.db.models import F
from django.test import TransactionTestCase, tag

from databases.replicas import use_primary, use_replica
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.replicas.writes import StaleInstanceError
from databases.tests.notebook.models import Note


@tag("replica")
class StaleInstanceTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        Note.objects.create(text="old")
        forget_everything()
        with use_replica():
            self.note = Note.objects.get()
        Note.objects.update(text="new")
        self.note.text = "stale"

    def test_it_is_not_saved_in_any_way(self):
        ways = {
            "save": self.note.save,
            "with fields": lambda: self.note.save(update_fields=["text"]),
            "with an alias": lambda: self.note.save(using="default"),
            "forced": lambda: self.note.save(force_update=True),
            "a copy": copy.copy(self.note).save,
            "from a cache": pickle.loads(pickle.dumps(self.note)).save,  # noqa: S301
        }
        for name, save in ways.items():
            with self.subTest(name), self.assertRaisesMessage(StaleInstanceError, "read from 'replica'"):
                save()
        self.assertEqual(Note.objects.get().text, "new")

    def test_a_deleted_row_is_not_inserted_again(self):
        Note.objects.all().delete()
        with self.assertRaises(StaleInstanceError):
            self.note.save()
        self.assertFalse(Note.objects.exists())

    def test_read_again_it_is_saved(self):
        for refresh in (self.note.refresh_from_db, lambda: self.note.refresh_from_db(using="default")):
            with use_primary():
                refresh()
            self.assertEqual(self.note.text, "new")
            self.note.save()
            self.note._state.db = "replica"

    def test_objects_of_the_primary_are_saved_inside_a_block(self):
        with use_replica(), transaction.atomic():
            note = Note.objects.select_for_update().get()
            note.text = "mine"
            note.save()
            found, _ = Note.objects.get_or_create(text="mine")
            found.save()
            Note.objects.update_or_create(pk=found.pk, defaults={"text": "mine too"})
        self.assertEqual(Note.objects.get().text, "mine too")

    def test_columns_are_changed_and_rows_deleted_without_a_copy_of_the_row(self):
        Note.objects.filter(pk=self.note.pk).update(text=F("text"))
        self.assertEqual(Note.objects.get().text, "new")
        self.note.delete()
        self.assertFalse(Note.objects.exists())

    def test_a_new_row_may_be_made_of_it(self):
        self.note.pk = None
        self.note.save()
        forget_everything()
        with use_replica():
            other = Note.objects.order_by("pk").first()
        self.assertEqual(other._state.db, "replica")
        other.pk, other._state.adding = 77, True
        other.save()
        self.assertEqual(Note.objects.count(), 3)

    def test_fixtures_are_loaded(self):
        with use_replica():
            text = serializers.serialize("json", [self.note])
        for each in serializers.deserialize("json", text):
            each.save()
        self.assertEqual(Note.objects.get().text, "stale")
