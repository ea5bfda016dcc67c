"""One tenant's database is away: its pages are a 503 that says when to ask again, and all others go on."""

from __future__ import annotations

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, override_settings
from django.urls import path

from databases.models import Tenant
from projects.models import DataPoint

from .test_tenant_requests import responses
from .two_tenants import ALL_DATABASES, APERTURE, register_both


def with_a_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(DataPoint.objects.count()))


async def with_an_async_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await DataPoint.objects.acount()))


def without_a_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse("served")


def with_a_mistake(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(DataPoint.objects.extra(select={"x": "no_such_column"}))))


def with_an_outage_of_another(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(DataPoint.objects.using("tenant_away").count()))


VIEWS = (with_a_query, with_an_async_query, without_a_query, with_a_mistake, with_an_outage_of_another)
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]


def nowhere() -> dict[str, object]:
    """Return the settings of a server that is not there."""
    server = settings.TENANT_SERVERS["default"]
    if server["ENGINE"].endswith("sqlite3"):
        return {**server, "NAME": "/nowhere/{name}.sqlite3"}
    options = {key: value for key, value in server.get("OPTIONS", {}).items() if key != "host"}
    # Nobody may listen on a port below 1024 without being asked to, and on this one nobody does.
    return {**server, "HOST": "127.0.0.1", "PORT": 1, "OPTIONS": options}


@override_settings(ROOT_URLCONF=__name__)
class OutageTests(TestCase):
    databases = ALL_DATABASES

    def setUp(self):
        register_both()
        Tenant.objects.create(slug="away", database="away", server="nowhere", status=Tenant.Status.ACTIVE)
        servers = override_settings(TENANT_SERVERS={**settings.TENANT_SERVERS, "nowhere": nowhere()})
        servers.enable()
        self.addCleanup(servers.disable)
        self.addCleanup(lambda: connections["tenant_away"].close())

    def answers(self, view, slug: str) -> list[tuple[int, str]]:
        host = f"{slug}.testserver"
        found = [response for _, response in responses(f"/{view.__name__}/", host)]
        return [(response.status_code, response.headers.get("Retry-After", "")) for response in found]

    def test_a_page_that_needs_it_is_a_503_that_says_when_to_ask_again(self):
        for view in (with_a_query, with_an_async_query):
            with self.subTest(view=view), self.assertLogs("databases.tenants.middleware", "WARNING") as logs:
                self.assertEqual(self.answers(view, "away"), [(503, "300")] * 2)
            self.assertNotIn("127.0.0.1", "".join(logs.output))
            self.assertNotIn("/nowhere", "".join(logs.output))

    def test_all_others_go_on(self):
        self.assertEqual(self.answers(without_a_query, "away"), [(200, "")] * 2)
        self.assertEqual(self.answers(with_a_query, APERTURE), [(200, "")] * 2)

    def test_a_mistake_and_the_outage_of_another_database_are_errors(self):
        self.assertEqual(self.answers(with_a_mistake, APERTURE), [(500, "")] * 2)
        self.assertEqual(self.answers(with_an_outage_of_another, APERTURE), [(500, "")] * 2)
