"""Reads go to a replica; a visitor who has written reads the primary. In tests both are one database."""  # example

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import TransactionTestCase, override_settings
from django.urls import path

from notes.models import Note


def newest_note(request: HttpRequest) -> HttpResponse:
    note = Note.objects.first()
    return HttpResponse(f"{note} from {note._state.db}")


def add_note(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text=request.POST["text"])
    return HttpResponseRedirect("/newest/")


urlpatterns = [path("newest/", newest_note), path("add/", add_note)]


@override_settings(ROOT_URLCONF=__name__, REPLICA_PIN_SECONDS=3600)
# Not a TestCase: that runs each test in a transaction, and inside a transaction reads stay on the primary.
class ReplicaTests(TransactionTestCase):
    databases = {"default", "replica"}

    def test_a_page_reads_from_the_replica(self):
        Note.objects.create(text="a note")
        self.assertContains(self.client.get("/newest/"), "a note from replica")

    def test_a_visitor_reads_what_they_have_written(self):
        response = self.client.post("/add/", {"text": "mine"}, follow=True)
        self.assertContains(response, "mine from default")

    def test_other_visitors_still_read_from_the_replica(self):
        self.client.post("/add/", {"text": "mine"})
        self.assertContains(self.client_class().get("/newest/"), "mine from replica")
