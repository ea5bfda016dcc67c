"""Safe requests read from a replica. A visitor who has written or seen something never gets older rows."""

import contextlib
import time
from collections.abc import Iterator
from unittest import mock
from urllib.request import urlopen

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import OperationalError, connections, router
from django.db.utils import DatabaseErrorWrapper
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import LiveServerTestCase, TestCase, TransactionTestCase, override_settings, tag
from django.urls import path
from django.views.decorators.cache import cache_control

from databases.replicas import choice, middleware, use_primary, use_replica, visits, watch, writes
from databases.replicas.positions import Mark
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.replicas.visits import COOKIE_SECONDS
from databases.tests.notebook.models import Note


def reads_from() -> str:
    return router.db_for_read(Note)


def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(reads_from())


def showing(request: HttpRequest) -> HttpResponse:
    note = Note.objects.get()
    return HttpResponse(f"{note} from {note._state.db}")


def writing(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text="mine")
    return HttpResponse(reads_from())


def only_writing(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text="mine")
    return HttpResponse("written")


def asking(request: HttpRequest) -> HttpResponse:
    with use_replica():
        inside = reads_from()
    return HttpResponse(f"{reads_from()} {inside} {reads_from()}" if inside != "default" else inside)


def seeing(request: HttpRequest) -> HttpResponse:
    with use_primary():
        return HttpResponse(reads_from())


def neither(request: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing read")


class Down(Exception):
    """What a driver raises."""

    sqlstate = "40001"


def fail_on_the_replica() -> str:
    """Raise the error of a driver as Django does, if reads go to a replica."""
    alias = reads_from()
    if alias != "default":
        with (
            mock.patch.object(connections[alias].Database, "OperationalError", Down),
            DatabaseErrorWrapper(connections[alias]),
        ):
            raise Down
    return alias


def failing(request: HttpRequest, word: str) -> HttpResponse:
    return HttpResponse(f"{word} {fail_on_the_replica()}")


async def failing_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(fail_on_the_replica())


class LateResponse(SimpleTemplateResponse):
    @property
    def rendered_content(self) -> str:
        return fail_on_the_replica()


def failing_late(request: HttpRequest) -> HttpResponse:
    return LateResponse([])


MIDDLEWARE = ["databases.replicas.middleware.ReplicaMiddleware"]
urlpatterns = [
    path("reading/", reading),
    path("showing/", showing),
    path("writing/", writing),
    path("only_writing/", only_writing),
    path("asking/", asking),
    path("seeing/", seeing),
    path("neither/", neither),
    path("public/", cache_control(public=True)(reading)),
    path("public_seeing/", cache_control(public=True)(seeing)),
    path("failing/<word>/", failing),
    path("failing_async/", failing_async),
    path("failing_late/", failing_late),
]


@tag("replica")
# Long, so that no pin ends while a slow machine runs the test.
@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, REPLICA_PIN_SECONDS=3600)
class RequestTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)

    def gets(self, page: str) -> str:
        return self.client.get(f"/{page}/").content.decode()

    def test_a_request_reads_from_a_replica(self):
        response = self.client.get("/reading/")
        self.assertEqual(response.content, b"replica")
        # With one replica, there is no other one that may show less.
        self.assertFalse(response.cookies)
        self.assertFalse(response.has_header("Vary") or response.has_header("Cache-Control"))

    def test_only_safe_methods_read_from_a_replica(self):
        for method in ("get", "options", "trace"):
            self.assertEqual(getattr(self.client_class(), method)("/reading/").content, b"replica", method)
        for method in ("post", "put", "patch", "delete"):
            self.assertEqual(getattr(self.client_class(), method)("/reading/").content, b"default", method)
        self.assertEqual(self.client_class().generic("PURGE", "/reading/").content, b"default")

    def test_a_view_may_ask_for_a_replica_with_any_method(self):
        self.assertEqual(self.client.post("/asking/").content, b"default replica default")

    def test_a_page_that_reads_nothing_asks_no_server(self):
        with mock.patch("databases.replicas.reading.choose", side_effect=AssertionError("asks")):
            self.assertEqual(self.gets("neither"), "nothing read")

    def test_the_request_after_a_write_reads_from_the_primary(self):
        self.assertEqual(self.gets("writing"), "default")
        self.assertEqual(self.gets("reading"), "default")

    def test_another_visitor_is_not_kept_on_the_primary(self):
        self.gets("writing")
        self.assertEqual(self.client_class().get("/reading/").content, b"replica")

    def test_the_pin_ends(self):
        # At a fraction of a millisecond: rounded up, the write would lie in the future.
        with mock.patch("time.time", return_value=time.time() // 1 + 0.0006):
            self.gets("writing")
            with override_settings(REPLICA_PIN_SECONDS=0):
                self.assertEqual(self.gets("reading"), "replica")

    def test_a_block_in_a_view_respects_the_visitors_writes(self):
        self.gets("writing")
        self.assertEqual(self.gets("asking"), "default")

    def test_a_client_cannot_pin_itself(self):
        self.client.cookies["sessionid_replica_1"] = "1//9e9//9e9"
        self.assertEqual(self.gets("reading"), "replica")

    def test_another_site_of_the_same_domain_has_other_cookies(self):
        self.gets("writing")
        with override_settings(SESSION_COOKIE_NAME="another"):
            self.assertEqual(self.gets("reading"), "replica")
            self.gets("writing")
        self.assertEqual(len([cookie for cookie in self.client.cookies.values() if cookie.value]), 2)
        self.assertEqual(self.gets("reading"), "default")

    def test_what_cannot_be_read_is_ignored(self):
        response = HttpResponse()
        for number, said in enumerate(("", "1/2", "a/b/c/d/e", "1//1.0//2.0/3")):
            response.set_signed_cookie(f"sessionid_replica_{number}", said)
        self.client.cookies.update(response.cookies)
        self.assertEqual(self.gets("reading"), "replica")

    def test_a_request_leaves_nothing_behind(self):
        self.gets("writing")
        self.assertEqual(reads_from(), "default")
        with use_replica(), override_settings(REPLICA_PIN_SECONDS=0):
            self.assertEqual(reads_from(), "replica")

    def test_async_requests_are_routed_in_the_same_way(self):
        # Not asyncio.run(): its threads leave connections behind, and then the test database cannot be dropped.
        get = async_to_sync(self.async_client.get)
        self.assertEqual(get("/reading/").content, b"replica")
        self.assertEqual(get("/writing/").content, b"default")
        self.assertEqual(get("/reading/").content, b"default")
        self.assertEqual(async_to_sync(self.async_client_class().post)("/reading/").content, b"default")

    def test_async_requests_pass_through_middleware_of_others(self):
        others = "django.middleware.security.SecurityMiddleware"
        with override_settings(MIDDLEWARE=[others, *MIDDLEWARE, others]):
            response = async_to_sync(self.async_client.get)("/reading/")
        self.assertEqual(response.content, b"replica")
        self.assertTrue(response.has_header("X-Content-Type-Options"))

    def test_without_replicas_there_are_no_cookies(self):
        with mock.patch.object(watch, "aliases", return_value=[]):
            response = self.client.get("/writing/")
        self.assertFalse(response.cookies)

    @override_settings(
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_PATH="/site",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=True,
    )
    def test_the_cookie_is_like_that_of_the_session(self):
        response = self.client.get("/writing/")
        (cookie,) = response.cookies.values()
        self.assertTrue(cookie["httponly"] and cookie["secure"])
        self.assertEqual([cookie[key] for key in ("domain", "path", "samesite")], ["example.com", "/site", "Strict"])
        self.assertGreater(cookie["max-age"], 60 * settings.REPLICA_MAX_LAG_SECONDS)
        # No cache that several visitors share may keep it.
        self.assertEqual((response["Vary"], response["Cache-Control"]), ("Cookie", "private"))

    def test_the_order_of_two_responses_does_not_matter(self):
        marks = [Mark(0, None, time.time()), Mark(0, None, time.time() - 9999)]
        for order in (marks, marks[::-1]):
            self.client.cookies.clear()
            first, second = self.client_class(), self.client_class()
            with self.marks(*order):
                responses = [each.get("/writing/") for each in (first, second)]
            for response in responses:
                self.client.cookies.update(response.cookies)
            self.assertEqual(len(self.client.cookies), 2)
            self.assertEqual(self.gets("reading"), "default")

    def test_a_new_cookie_takes_the_place_of_those_that_came(self):
        # Two cookies of the same name would replace each other.
        with mock.patch.object(visits.random, "randrange", side_effect=[1, 2]):
            self.gets("writing")
            self.gets("writing")
        self.assertEqual(sum(cookie.value != "" for cookie in self.client.cookies.values()), 1)

    def test_marks_of_timelines_and_positions_are_compared(self):
        now = time.time()
        marks = [Mark(1, 900, now), Mark(2, 10, now - 1), Mark(2, 9, now + 1)]
        self.assertEqual(self.mark_of(*marks), Mark(2, 10, now - 1))
        # One without a position cannot be compared. It counts until its time is over.
        self.assertEqual(self.mark_of(*marks, Mark(0, None, now)), Mark(0, None, now))
        self.assertEqual(self.mark_of(*marks, Mark(0, None, now - 9999)), Mark(2, 10, now - 1))

    def mark_of(self, *marks: Mark) -> Mark:
        """Return what a visitor must see who got cookies with these marks."""
        self.client.cookies.clear()
        with self.marks(*marks):
            for _ in marks:
                self.client.cookies.update(self.client_class().get("/writing/").cookies)
        with mock.patch.object(middleware, "Work", side_effect=middleware.Work) as begun:
            self.gets("neither")
        return begun.call_args[0][0].mark

    @contextlib.contextmanager
    def marks(self, *marks: Mark) -> Iterator[None]:
        """Let responses set these marks, in cookies of different names."""
        with (
            mock.patch.object(watch, "is_primary_itself", return_value=False),
            mock.patch.object(middleware, "mark_now", side_effect=marks),
            mock.patch.object(visits.random, "randrange", side_effect=range(len(marks))),
        ):
            yield

    def test_however_many_responses_there_are_the_cookies_fit_into_a_request(self):
        for _ in range(200):
            self.client.cookies.update(self.client_class().get("/writing/").cookies)
        header = "; ".join(f"{name}={cookie.value}" for name, cookie in self.client.cookies.items())
        self.assertLess(len(header), 4096)


class WithOtherServers:
    """Has replicas that are other servers, to which a connection can be opened."""

    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.problems: dict[str, str] = {}
        for patch in (
            mock.patch.object(watch, "is_primary_itself", return_value=False),
            mock.patch.object(watch, "ask_again"),
            mock.patch.object(watch, "primary_answers", return_value=True),
            mock.patch.object(watch, "problem", lambda alias: self.problems.get(alias, "")),
            mock.patch.object(choice, "_opens", return_value=True),
        ):
            patch.start()
            self.addCleanup(patch.stop)


@tag("replica")
@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, REPLICA_PIN_SECONDS=3600)
class MonotonicTests(WithOtherServers, TransactionTestCase):
    """Has two replicas, which have everything."""

    def setUp(self):
        super().setUp()
        second = mock.patch.dict(connections.settings, replica_2={**connections.settings["replica"], "NAME": "second"})
        second.start()
        self.addCleanup(second.stop)

    def pages(self, page: str = "reading", times: int = 20) -> set[str]:
        return {self.client.get(f"/{page}/").content.decode() for _ in range(times)}

    def test_a_visitor_stays_on_one_replica_and_gets_one_cookie(self):
        first = self.client.get("/reading/")
        self.assertEqual(len(first.cookies), 1)
        self.assertEqual(self.pages(), {first.content.decode()})
        self.assertFalse(self.client.get("/reading/").cookies)
        others = {self.client_class().get("/reading/").content for _ in range(40)}
        self.assertEqual(others, {b"replica", b"replica_2"})

    def test_a_request_keeps_its_replica(self):
        seen = {self.client_class().get("/asking/").content for _ in range(40)}
        self.assertEqual(seen, {b"replica replica replica", b"replica_2 replica_2 replica_2"})

    def test_whose_replica_is_gone_reads_the_primary_until_another_shows_as_much(self):
        (home,) = self.pages()
        other = {"replica": "replica_2", "replica_2": "replica"}[home]
        self.problems[home] = "does not answer"
        self.assertEqual(self.pages(), {"default"})
        with override_settings(REPLICA_PIN_SECONDS=0):
            self.assertEqual(self.pages(), {other})

    def test_who_has_read_the_primary_is_given_no_older_page(self):
        self.assertEqual(self.pages("seeing", 1), {"default"})
        self.assertEqual(self.pages(), {"default"})
        with override_settings(REPLICA_PIN_SECONDS=0):
            self.assertNotEqual(self.pages(), {"default"})

    def test_the_cookie_is_renewed_while_its_visitor_is_there(self):
        (home,) = self.pages()
        now = time.time()
        with mock.patch("time.time", lambda: now + COOKIE_SECONDS * 0.6):
            cookies = self.client.get("/reading/").cookies.values()
        # The old one is deleted, unless the new one has its name.
        self.assertEqual(len([cookie for cookie in cookies if cookie.value]), 1)
        with mock.patch("time.time", lambda: now + COOKIE_SECONDS * 1.2):
            self.assertEqual(self.pages(), {home})

    def test_a_page_that_reads_nothing_says_nothing(self):
        self.assertFalse(self.client.get("/neither/").cookies)
        (home,) = self.pages()
        self.assertFalse(self.client.get("/neither/").cookies)
        self.assertEqual(self.pages(), {home})

    def test_the_event_loop_never_waits_for_a_mark(self):
        waits: list[bool] = []

        def mark() -> Mark:
            waits.append(choice.is_in_event_loop())
            return Mark(0, None, 0.0)

        for page in ("only_writing", "seeing", "reading"):
            with mock.patch.object(middleware, "mark_now", mark):
                async_to_sync(self.async_client.get)(f"/{page}/")
        self.assertEqual(waits, [False, False])

    def test_a_page_for_everybody_gets_no_cookie(self):
        for page in ("public", "public_seeing"):
            response = self.client.get(f"/{page}/")
            self.assertFalse(response.cookies)
            self.assertEqual(response["Cache-Control"], "public")

    @override_settings(REPLICA_MONOTONIC_READS=False)
    def test_it_can_be_turned_off(self):
        for page in ("reading", "seeing"):
            self.assertFalse(self.client.get(f"/{page}/").cookies)
        self.assertEqual(len(self.pages()), 2)
        self.assertTrue(self.client.get("/writing/").cookies)


@tag("replica")
@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, REPLICA_PIN_SECONDS=3600)
class FailingTests(WithOtherServers, TransactionTestCase):
    """The replica fails under a query, or cancels it in order to catch up."""

    def test_a_safe_request_is_answered_from_the_primary(self):
        for page, text in (
            ("failing/ann", b"ann default"),
            ("failing_late", b"default"),
            ("failing_async", b"default"),
        ):
            for method in ("get", "options"):
                with self.subTest(page, method=method):
                    self.assertEqual(getattr(self.client_class(), method)(f"/{page}/").content, text)
        self.assertEqual(async_to_sync(self.async_client.get)("/failing_async/").content, b"default")

    def test_its_visitor_is_given_no_older_page_afterwards(self):
        self.client.get("/failing/ann/")
        self.assertEqual(self.client.get("/reading/").content, b"default")

    def test_writes_to_any_database_are_noticed(self):
        with middleware.reading(from_replica=True, work=middleware.Work()) as work:
            connections["default"].cursor().execute("SELECT 1")
            self.assertFalse(work.has_written_anywhere)
            writes._notice_write(mock.Mock(), "DELETE FROM a", None, False, {"connection": mock.Mock(alias="second")})
            self.assertTrue(work.has_written_anywhere)
            # Replicas of the primary do not lack what another database has got.
            self.assertFalse(work.has_written)
        for alias, watched in (("default", True), ("second", True), ("replica_2", False)):
            opened = mock.Mock(alias=alias, execute_wrappers=[])
            for _ in range(2):
                writes._watch(opened)
            self.assertEqual(len(opened.execute_wrappers), watched)

    def test_no_other_request_is_repeated(self):
        error, request = OperationalError(), HttpRequest()
        request.method = "POST"
        middle = middleware.ReplicaMiddleware(reading)
        with mock.patch.object(middleware, "unavailable_database", return_value="replica"):
            view = mock.Mock(side_effect=AssertionError("repeated"))
            request.resolver_match = mock.Mock(func=view, args=(), kwargs={})
            with middleware.reading(from_replica=True, work=middleware.Work()) as work:
                self.assertIsNone(middle.process_exception(request, error))
                request.method, work.has_written_anywhere = "GET", True
                self.assertIsNone(middle.process_exception(request, error))
                work.has_written_anywhere = False
                with self.assertRaisesMessage(AssertionError, "repeated"):
                    middle.process_exception(request, error)
            self.assertIsNone(middle.process_exception(request, error))
        with middleware.reading(from_replica=True, work=middleware.Work()):
            self.assertIsNone(middle.process_exception(request, error))


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE)
class LiveServerTests(LiveServerTestCase):
    # As most tests are written: without the replica.
    databases = {"default"}

    def setUp(self):
        forget_everything()

    def test_pages_read_what_the_test_wrote_in_another_thread(self):
        Note.objects.create(text="committed")
        with urlopen(f"{self.live_server_url}/showing/") as response:  # noqa: S310
            self.assertEqual(response.read(), b"committed from default")
        self.assertEqual(self.client.get("/showing/").content, b"committed from default")


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE)
class RequestInTestCaseTests(TestCase):
    # Without the replica, as most tests are written: connecting to it would be an error.
    databases = {"default"}

    def test_a_request_of_a_test_case_reads_what_the_test_wrote(self):
        Note.objects.create(text="not committed")
        self.assertEqual(self.client.get("/reading/").content, b"default")

    def test_it_sends_no_query_that_its_view_does_not_send(self):
        with self.assertNumQueries(1):
            response = self.client.get("/writing/")
        self.assertFalse(response.cookies)


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE)
class RequestInTransactionTestCaseTests(TransactionTestCase):
    def test_it_sends_no_query_that_its_view_does_not_send(self):
        for method in ("get", "post"):
            with self.assertNumQueries(1):
                getattr(self.client, method)("/writing/")
