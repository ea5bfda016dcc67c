"""While the secondary is down, pages that need it answer 503 and lose nothing. All others are served."""

from __future__ import annotations

import json
import tempfile

from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import TestCase
from django.urls import path

from databases import atomic_for
from databases.secondary.tests.diary.models import Entry
from databases.tests.notebook.models import Note
from databases.tests.outages import WAYS, ask, gate_of, run_report
from databases.tests.plain_site import plain_site


def without_it(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Note.objects.count()))


def with_it(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Entry.objects.count()))


def writing_both(request: HttpRequest) -> HttpResponse:
    with atomic_for(Note):
        Note.objects.create(text="a note")
        with atomic_for(Entry):
            Entry.objects.create(text="about the note")
    return HttpResponse()


PAGES = (without_it, with_it, writing_both)
urlpatterns = [path(f"{view.__name__}/", view) for view in PAGES]


def report() -> None:
    """Print what the pages answer in each state of the secondary. This runs in production."""
    gate = gate_of("secondary")
    gate.turn("open")
    # All apps, because receivers of `post_migrate` may need their tables.
    call_command("migrate", verbosity=0)
    pages, notes = {}, {}
    with plain_site(__name__):
        for state in ("open", *WAYS, "open again"):
            gate.turn(state.removesuffix(" again"))
            before = Note.objects.count()
            pages[state] = {view.__name__: ask(view) for view in PAGES}
            notes[state] = Note.objects.count() - before
    # On a server, this is the database that the other tests use.
    Entry.objects.all().delete()
    print(json.dumps({"pages": pages, "notes": notes}))


class OutageTests(TestCase):
    databases = {"secondary"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.report = run_report("secondary", __name__, folder.name)

    def test_a_page_that_needs_it_answers_503_with_retry_after(self):
        for state in WAYS:
            self.assertEqual(self.report["pages"][state]["with_it"], [503, "10"], state)

    def test_what_was_to_be_written_there_is_an_error_that_undoes_the_other_write(self):
        for state in WAYS:
            self.assertEqual(self.report["pages"][state]["writing_both"], [503, "10"], state)
        self.assertEqual(self.report["notes"], {"open": 1, **dict.fromkeys(WAYS, 0), "open again": 1})

    def test_all_other_pages_are_served(self):
        for state, pages in self.report["pages"].items():
            self.assertEqual(pages["without_it"], [200, None], state)

    def test_all_pages_are_served_when_it_is_back(self):
        for state in ("open", "open again"):
            self.assertEqual({*map(tuple, self.report["pages"][state].values())}, {(200, None)})
