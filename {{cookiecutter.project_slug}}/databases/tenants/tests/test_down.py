"""One tenant's database is down: its pages answer 503 with Retry-After, and the other tenants are served."""

from __future__ import annotations

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, override_settings
from django.urls import path

from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import DATABASES, FIRST, register_both, responses


def with_a_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(DataPoint.objects.count()))


async def with_an_async_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await DataPoint.objects.acount()))


def without_a_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse("served")


def with_a_mistake(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(DataPoint.objects.extra(select={"x": "no_such_column"}))))


def with_an_outage_of_another(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(DataPoint.objects.using("tenant_down").count()))


VIEWS = (with_a_query, with_an_async_query, without_a_query, with_a_mistake, with_an_outage_of_another)
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]


def nowhere() -> dict[str, object]:
    """Return the settings of a server that does not exist."""
    server = settings.TENANT_SERVERS["default"]
    if server["ENGINE"].endswith("sqlite3"):
        # No file can be in here: this is no folder.
        return {**server, "NAME": __file__ + "/{name}.sqlite3"}
    options = {key: value for key, value in server.get("OPTIONS", {}).items() if key != "host"}
    # Ports below 1024 are reserved, and no service uses this one.
    return {**server, "HOST": "127.0.0.1", "PORT": 1, "OPTIONS": options}


@override_settings(ROOT_URLCONF=__name__)
@own_site
class OutageTests(TestCase):
    databases = DATABASES

    def setUp(self):
        register_both()
        Tenant.objects.create(slug="down", database="down", server="nowhere", status=Tenant.Status.ACTIVE)
        servers = override_settings(TENANT_SERVERS={**settings.TENANT_SERVERS, "nowhere": nowhere()})
        servers.enable()
        self.addCleanup(servers.disable)
        self.addCleanup(lambda: connections["tenant_down"].close())

    def answers(self, view, slug: str) -> list[tuple[int, str]]:
        host = f"{slug}.testserver"
        found = [response for _, response in responses(f"/{view.__name__}/", host)]
        return [(response.status_code, response.headers.get("Retry-After", "")) for response in found]

    def test_a_page_that_needs_the_database_is_a_503_with_retry_after(self):
        for view in (with_a_query, with_an_async_query):
            with self.subTest(view=view), self.assertLogs("databases.tenants.middleware", "WARNING") as logs:
                self.assertEqual(self.answers(view, "down"), [(503, "300")] * 2)
            self.assertNotIn("127.0.0.1", "".join(logs.output))
            self.assertNotIn(__file__, "".join(logs.output))

    def test_the_503_says_in_debug_mode_only_which_database_and_what_to_do(self):
        for debug in (True, False):
            with self.settings(DEBUG=debug), self.assertLogs("databases.tenants.middleware", "WARNING"):
                for stack, response in responses("/with_a_query/", "down.testserver"):
                    with self.subTest(stack=stack, debug=debug):
                        page = response.content.decode()
                        self.assertEqual("The database of 'down' is unavailable" in page, debug)
                        self.assertEqual("check its server" in page, debug)

    def test_other_pages_and_tenants_are_served(self):
        self.assertEqual(self.answers(without_a_query, "down"), [(200, "")] * 2)
        self.assertEqual(self.answers(with_a_query, FIRST), [(200, "")] * 2)

    def test_mistakes_and_outages_of_other_databases_are_500s(self):
        self.assertEqual(self.answers(with_a_mistake, FIRST), [(500, "")] * 2)
        self.assertEqual(self.answers(with_an_outage_of_another, FIRST), [(500, "")] * 2)
