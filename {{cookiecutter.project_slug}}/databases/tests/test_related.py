"""The rows behind plain keys are loaded in one query."""

from types import SimpleNamespace

from django.test import TestCase

from databases import load_related
from databases.tests.notebook.models import Note


class LoadRelatedTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.notes = [Note.objects.create(text=text) for text in ("one", "two")]

    def test_each_object_gets_its_row_in_one_query(self):
        one, two = self.notes
        objects = [SimpleNamespace(note_id=key) for key in (two.pk, one.pk, two.pk, None, 0)]
        with self.assertNumQueries(1):
            load_related(iter(objects), "note_id", Note)
        self.assertEqual([each.note for each in objects], [two, one, two, None, None])

    def test_without_keys_nothing_is_queried(self):
        empty = SimpleNamespace(note_id=None)
        with self.assertNumQueries(0):
            load_related([empty], "note_id", Note)
            load_related([], "note_id", Note)
        self.assertIsNone(empty.note)

    def test_a_key_of_another_form_is_an_error(self):
        for key in ("note", "_id"):
            with self.subTest(key), self.assertRaisesMessage(ValueError, "must end in '_id'"):
                load_related([], key, Note)
