"""Requests read from a replica, and a visitor who has written reads from the primary for a while."""

import time
from unittest import mock

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connections, router
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings, tag
from django.urls import path

from databases.replicas import use_replica
from databases.replicas.middleware import COOKIE
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.tests.notebook.models import Note


def reads_from() -> str:
    return router.db_for_read(Note)


def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(reads_from())


def writing(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text="mine")
    return HttpResponse(reads_from())


def asking(request: HttpRequest) -> HttpResponse:
    with use_replica():
        inside = reads_from()
    return HttpResponse(f"{reads_from()} {inside} {reads_from()}" if inside != "default" else inside)


MIDDLEWARE = ["databases.replicas.middleware.replica_middleware"]
urlpatterns = [path("reading/", reading), path("writing/", writing), path("asking/", asking)]


@tag("replica")
# Long, so that no pin ends while a slow machine runs the test.
@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, REPLICA_PIN_SECONDS=3600)
class RequestTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()

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
        # At a fraction of a millisecond: rounded up, the write would lie in the future.
        with mock.patch("time.time", return_value=time.time() // 1 + 0.0006):
            self.client.get("/writing/")
            with override_settings(REPLICA_PIN_SECONDS=0):
                self.assertEqual(self.client.get("/reading/").content, b"replica")

    def test_the_cookie_is_hidden_from_scripts_and_outlasts_any_lag(self):
        cookie = self.client.get("/writing/").cookies[COOKIE]
        self.assertTrue(cookie["httponly"])
        self.assertGreater(cookie["max-age"], 60 * settings.REPLICA_MAX_LAG_SECONDS)

    def test_a_block_in_a_view_respects_the_visitors_writes(self):
        self.client.get("/writing/")
        self.assertEqual(self.client.get("/asking/").content, b"default")

    def test_a_request_keeps_its_replica(self):
        with_two = mock.patch.dict(connections.settings, replica_2=connections.settings["replica"])
        with with_two:
            seen = {self.client.get("/asking/").content for _ in range(40)}
        self.assertEqual(seen, {b"replica replica replica", b"replica_2 replica_2 replica_2"})

    def test_a_client_cannot_pin_itself(self):
        self.client.cookies[COOKIE] = "1"
        self.assertEqual(self.client.get("/reading/").content, b"replica")

    def test_a_request_leaves_nothing_behind(self):
        self.client.get("/writing/")
        self.assertEqual(reads_from(), "default")
        with use_replica():
            self.assertEqual(reads_from(), "replica")

    def test_async_requests_are_routed_in_the_same_way(self):
        # Not asyncio.run(): its threads leave connections behind, and then the test database cannot be dropped.
        get = async_to_sync(self.async_client.get)
        self.assertEqual(get("/reading/").content, b"replica")
        self.assertEqual(get("/writing/").content, b"default")
        self.assertEqual(get("/reading/").content, b"default")


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE)
class RequestInTestCaseTests(TestCase):
    # Without the replica, as most tests are written: connecting to it would be an error.
    databases = {"default"}

    def test_a_request_of_a_test_case_reads_what_the_test_wrote(self):
        Note.objects.create(text="not committed")
        self.assertEqual(self.client.get("/reading/").content, b"default")
