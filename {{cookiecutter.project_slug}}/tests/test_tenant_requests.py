"""Requests: the host decides whose rows a page shows, in the sync and in the async stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase, override_settings
from django.urls import path

from config.urls import urlpatterns as project_urls
from databases.models import Tenant
from databases.tenants import NoTenantError, current_tenant
from projects.models import DataPoint

from .two_tenants import ALL_DATABASES, APERTURE, VAVATCH, HostAsyncClient, add_a_point_each, in_thread, register_both

PAGE = "/data-points/"


def tenant_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.tenant} {current_tenant() if request.tenant else '-'}")


async def async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse([f"{point.name} " async for point in DataPoint.objects.all()])


def page_with_a_careless_thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(in_thread(DataPoint.objects.count))


urlpatterns = [
    *project_urls,
    path("tenant/", tenant_page),
    path("async/", async_page),
    path("thread/", page_with_a_careless_thread),
]


def responses(page: str, host: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each stack, sync and async, and its response."""
    headers = {"host": host}
    yield "sync", Client(raise_request_exception=False).get(page, headers=headers)
    yield "async", async_to_sync(HostAsyncClient(raise_request_exception=False).get)(page, headers=headers)


@override_settings(ROOT_URLCONF=__name__)
class RequestTests(TestCase):
    databases = ALL_DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()

    def assert_status(self, status: int, page: str, host: str) -> None:
        for stack, response in responses(page, host):
            with self.subTest(stack=stack, page=page, host=host):
                self.assertEqual(response.status_code, status)

    def test_a_page_shows_the_rows_of_the_tenant_whose_host_it_is(self):
        for page in (PAGE, "/async/"):
            for slug, ours, theirs in ((APERTURE, "cake", "orbit"), (VAVATCH, "orbit", "cake")):
                for stack, response in responses(page, f"{slug}.testserver"):
                    with self.subTest(stack=stack, page=page, slug=slug):
                        self.assertContains(response, ours)
                        self.assertNotContains(response, theirs)

    def test_a_view_finds_its_tenant_on_the_request(self):
        for host, expected in ((f"{APERTURE}.testserver", f"{APERTURE} {APERTURE}"), ("testserver", "None -")):
            for stack, response in responses("/tenant/", host):
                with self.subTest(stack=stack, host=host):
                    self.assertEqual(response.content.decode(), expected)

    def test_a_host_may_have_a_port_upper_case_letters_and_a_final_dot(self):
        for host in (f"{APERTURE}.testserver:8000", f"{APERTURE}.TestServer", f"{APERTURE}.testserver."):
            self.assert_status(200, PAGE, host)

    def test_a_page_of_tenants_is_not_found_on_the_central_host(self):
        self.assert_status(200, "/tenant/", "testserver")
        with self.assertLogs("databases.tenants", "WARNING"):
            self.assert_status(404, PAGE, "testserver")
            self.assert_status(404, "/async/", "testserver")

    def test_an_unknown_host_is_not_found(self):
        for host in ("nobody.testserver", f"www.{APERTURE}.testserver", f"{APERTURE}.x.testserver", "1.testserver"):
            self.assert_status(404, PAGE, host)
            self.assert_status(404, "/tenant/", host)

    @override_settings(ALLOWED_HOSTS=["*"])
    def test_a_host_outside_of_the_domain_is_not_found(self):
        for host in (f"{APERTURE}.example.com", f"{APERTURE}testserver", APERTURE, "xtestserver", "127.0.0.1", "[::1]"):
            self.assert_status(404, "/tenant/", host)

    def test_a_malformed_host_is_refused(self):
        for host in (
            f"{APERTURE}/.testserver",
            f"{APERTURE}'.testserver",
            f"{APERTURE}.testserver:x",
            "testserver.com",
            "",
        ):
            self.assert_status(400, PAGE, host)

    def test_a_tenant_that_is_suspended_or_pending_is_unavailable_for_now(self):
        for status in (Tenant.Status.SUSPENDED, Tenant.Status.PENDING):
            Tenant.objects.filter(slug=APERTURE).update(status=status)
            for stack, response in responses(PAGE, f"{APERTURE}.testserver"):
                with self.subTest(stack=stack, status=status):
                    self.assertEqual(response.status_code, 503)
                    self.assertGreater(int(response.headers["Retry-After"]), 0)
                    self.assertNotContains(response, "cake", status_code=503)
            self.assert_status(200, PAGE, f"{VAVATCH}.testserver")

    def test_a_forgotten_tenant_is_an_error_of_ours_on_a_tenants_host(self):
        self.assert_status(500, "/thread/", f"{APERTURE}.testserver")

    def test_nobody_is_current_after_a_request(self):
        self.assert_status(200, PAGE, f"{APERTURE}.testserver")
        self.assert_status(500, "/thread/", f"{APERTURE}.testserver")
        self.assertRaises(NoTenantError, current_tenant)
