"""Requests read from a replica, and a visitor who has written reads from the primary for a while."""

from asgiref.sync import async_to_sync
from django.db import router
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import path

from databases.replica import health, use_replica
from databases.replica.middleware import COOKIE
from notes.models import Note


def reads_from() -> str:
    return router.db_for_read(Note)


def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(reads_from())


def writing(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text="mine")
    return HttpResponse(reads_from())


urlpatterns = [path("reading/", reading), path("writing/", writing)]


@override_settings(ROOT_URLCONF=__name__)
class RequestTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        health._retry_at.clear()

    def test_a_request_reads_from_a_replica(self):
        response = self.client.get("/reading/")
        self.assertEqual(response.content, b"replica")
        self.assertNotIn(COOKIE, response.cookies)

    def test_the_request_after_a_write_reads_from_the_primary(self):
        self.assertEqual(self.client.get("/writing/").content, b"default")
        self.assertEqual(self.client.get("/reading/").content, b"default")

    def test_another_visitor_is_not_kept_on_the_primary(self):
        self.client.get("/writing/")
        self.assertEqual(self.client_class().get("/reading/").content, b"replica")

    def test_the_pin_ends(self):
        self.client.get("/writing/")
        with override_settings(REPLICA_PIN_SECONDS=-1):
            self.assertEqual(self.client.get("/reading/").content, b"replica")

    def test_a_client_cannot_pin_itself(self):
        self.client.cookies[COOKIE] = "1"
        self.assertEqual(self.client.get("/reading/").content, b"replica")

    def test_nothing_of_a_request_is_left_behind(self):
        self.client.get("/writing/")
        self.assertEqual(reads_from(), "default")
        with use_replica():
            self.assertEqual(reads_from(), "replica")

    def test_async_requests_are_routed_alike(self):
        # Not asyncio.run: its threads would leave connections behind that keep the test database from being dropped.
        get = async_to_sync(self.async_client.get)
        self.assertEqual(get("/reading/").content, b"replica")
        self.assertEqual(get("/writing/").content, b"default")
        self.assertEqual(get("/reading/").content, b"default")


@override_settings(ROOT_URLCONF=__name__)
class RequestInTestCaseTests(TestCase):
    # Without the replica, as most tests are written: connecting to it would be an error.
    databases = {"default"}

    def test_a_request_of_a_test_case_reads_what_the_test_wrote(self):
        Note.objects.create(text="not committed")
        self.assertEqual(self.client.get("/reading/").content, b"default")
