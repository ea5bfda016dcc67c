"""The project's own database. A test that names no `databases` may use this one only."""  # example

from django.test import TestCase

from databases import atomic_for, on_commit_for
from notes.models import Note


class NoteTests(TestCase):
    def test_notes_are_listed_newest_first(self):
        for text in ("first", "second"):
            Note.objects.create(text=text)
        self.assertEqual([str(note) for note in Note.objects.all()], ["second", "first"])

    def test_the_start_page_is_for_development(self):
        self.assertEqual(self.client.get("/").status_code, 404)
        with self.settings(DEBUG=True):
            response = self.client.post("/", {"text": "a note"}, follow=True)
        self.assertContains(response, "<li>a note</li>")

    def test_an_error_undoes_all_writes_of_the_block(self):
        with self.assertRaises(RuntimeError), atomic_for(Note):
            Note.objects.create(text="undone")
            raise RuntimeError
        self.assertFalse(Note.objects.exists())

    def test_work_waits_for_the_commit_of_the_note(self):
        sent = []
        with self.captureOnCommitCallbacks(execute=True), atomic_for(Note):
            on_commit_for(Note, lambda: sent.append("mail"))
            self.assertEqual(sent, [])
        self.assertEqual(sent, ["mail"])
