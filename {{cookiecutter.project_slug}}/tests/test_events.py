"""A second database of the project's own. A test names it in `databases` to use it."""  # example

from unittest import mock

from django.db import OperationalError
from django.test import TestCase
from django.urls import reverse

from events.models import Event
from notes.models import Note


class EventTests(TestCase):
    databases = {"default", "secondary"}

    def test_a_note_and_its_event_are_written_to_two_databases(self):
        response = self.client.post(reverse("events"), {"text": "a note"}, follow=True)
        self.assertContains(response, "a visitor added a note")
        self.assertEqual(Event.objects.get().note_id, Note.objects.get().pk)
        self.assertEqual(Event.objects.get()._state.db, "secondary")

    def test_no_note_is_without_its_event(self):
        down = mock.patch.object(Event.objects, "create", side_effect=OperationalError("the secondary is down"))
        with down, self.assertRaises(OperationalError):
            self.client.post(reverse("events"), {"text": "a note"})
        self.assertFalse(Note.objects.exists())

    def test_many_events_take_one_query_for_their_notes(self):
        for number in range(3):
            self.client.post(reverse("events"), {"text": f"note {number}"})
        with self.assertNumQueries(1, using="default"):
            self.assertContains(self.client.get(reverse("events")), "note 2")
