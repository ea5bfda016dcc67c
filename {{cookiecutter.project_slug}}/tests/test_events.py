"""A second database of the project's own. A test names it in `databases` to use it."""  # example

from unittest import mock

from django.contrib.auth import get_user_model
from django.db import OperationalError, connections
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.models import Event
from notes.models import Note


class EventTests(TestCase):
    databases = {"default", "secondary"}

    def setUp(self):
        self.user = get_user_model().objects.create_user("chell", is_staff=True)
        self.client.force_login(self.user)

    def test_a_note_and_its_event_are_written_to_two_databases(self):
        response = self.client.post(reverse("events"), {"text": "a note"}, follow=True)
        self.assertContains(response, "chell added a note")
        event = Event.objects.get()
        self.assertEqual((event.note_id, event.user_id), (Note.objects.get().pk, self.user.pk))
        self.assertEqual(event._state.db, "secondary")

    def test_no_note_is_without_its_event(self):
        down = mock.patch.object(Event.objects, "create", side_effect=OperationalError("the secondary is down"))
        with down, self.assertRaises(OperationalError):
            self.client.post(reverse("events"), {"text": "a note"})
        self.assertFalse(Note.objects.exists())

    def test_more_events_take_no_more_queries(self):
        counts = []
        for number in range(3):
            self.client.post(reverse("events"), {"text": f"note {number}"})
            with CaptureQueriesContext(connections["default"]) as queries:
                self.assertContains(self.client.get(reverse("events")), f"note {number}")
            counts.append(len(queries))
        self.assertEqual(len(set(counts)), 1)

    def test_visitors_see_no_events_and_add_none(self):
        self.client.logout()
        for response in (self.client.get(reverse("events")), self.client.post(reverse("events"), {"text": "a note"})):
            self.assertEqual(response.status_code, 302)
        self.assertFalse(Note.objects.exists())

    def test_an_invalid_note_is_told_and_leaves_no_event(self):
        self.assertNotContains(self.client.get(reverse("events")), "errorlist")
        self.assertContains(self.client.post(reverse("events"), {"text": ""}), "errorlist")
        self.assertFalse(Event.objects.exists())

    def test_the_newest_event_comes_first(self):
        for text in ("the first", "the second"):
            self.client.post(reverse("events"), {"text": text})
        page = self.client.get(reverse("events")).content.decode()
        self.assertLess(page.index("the second"), page.index("the first"))
