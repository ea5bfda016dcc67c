"""Requests: the host decides whose rows a page shows, in the sync and in the async stack."""

from __future__ import annotations

from unittest import mock

from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import path

from databases.tenants import NoTenantError, current_tenant, use_tenant
from databases.tenants.context import tenant_or_none
from databases.tenants.middleware import TenantMiddleware
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import PAGE, own_site
from databases.tenants.tests.site import urlpatterns as site_urls
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    SECOND,
    add_a_point_each,
    in_thread,
    register_both,
    responses,
)


def tenant_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.tenant} {current_tenant() if request.tenant else '-'}")


async def async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse([f"{point.name} " async for point in DataPoint.objects.all()])


def page_with_a_query_in_a_thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(in_thread(DataPoint.objects.count))


urlpatterns = [
    *site_urls,
    path("tenant/", tenant_page),
    path("async/", async_page),
    path("thread/", page_with_a_query_in_a_thread),
]


class UrlsTests(SimpleTestCase):
    def test_urls_are_imported_without_a_tenant(self):
        # Else querysets of classes in them would belong to the tenant of the first request.
        found = []
        urls = mock.PropertyMock(side_effect=lambda: found.append(tenant_or_none()))
        with mock.patch("django.urls.resolvers.URLResolver.url_patterns", urls), use_tenant(FIRST):
            TenantMiddleware(lambda request: HttpResponse())
        self.assertEqual(found, [None])


@override_settings(ROOT_URLCONF=__name__)
@own_site
class RequestTests(TestCase):
    databases = DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()

    def assert_status(self, status: int, page: str, host: str) -> None:
        for stack, response in responses(page, host):
            with self.subTest(stack=stack, page=page, host=host):
                self.assertEqual(response.status_code, status)

    def test_a_page_shows_the_rows_of_the_hosts_tenant(self):
        for page in (PAGE, "/async/"):
            for slug, ours, theirs in ((FIRST, "cake", "orbit"), (SECOND, "orbit", "cake")):
                for stack, response in responses(page, f"{slug}.testserver"):
                    with self.subTest(stack=stack, page=page, slug=slug):
                        self.assertContains(response, ours)
                        self.assertNotContains(response, theirs)

    def test_a_view_finds_its_tenant_on_the_request(self):
        for host, expected in ((f"{FIRST}.testserver", f"{FIRST} {FIRST}"), ("testserver", "None -")):
            for stack, response in responses("/tenant/", host):
                with self.subTest(stack=stack, host=host):
                    self.assertEqual(response.content.decode(), expected)

    def test_a_host_may_have_a_port_upper_case_letters_and_a_final_dot(self):
        for host in (f"{FIRST}.testserver:8000", f"{FIRST}.TestServer", f"{FIRST}.testserver."):
            self.assert_status(200, PAGE, host)

    def test_a_tenants_page_is_not_found_on_the_central_host(self):
        self.assert_status(200, "/tenant/", "testserver")
        with self.assertLogs("databases.tenants", "WARNING"):
            self.assert_status(404, PAGE, "testserver")
            self.assert_status(404, "/async/", "testserver")

    def test_a_tenant_that_something_has_left_in_the_thread_has_no_request(self):
        with use_tenant(SECOND):
            with self.assertLogs("databases.tenants", "WARNING"):
                self.assert_status(404, PAGE, "testserver")
            for stack, response in responses(PAGE, f"{FIRST}.testserver"):
                with self.subTest(stack=stack):
                    self.assertContains(response, "cake")
            self.assertEqual(current_tenant().slug, SECOND)

    def test_an_unknown_host_is_not_found(self):
        for host in ("nobody.testserver", f"www.{FIRST}.testserver", f"{FIRST}.x.testserver", "1.testserver"):
            self.assert_status(404, PAGE, host)
            self.assert_status(404, "/tenant/", host)

    @override_settings(ALLOWED_HOSTS=["*"])
    def test_a_host_outside_of_the_domain_is_not_found(self):
        for host in (f"{FIRST}.example.com", f"{FIRST}testserver", FIRST, "xtestserver", "127.0.0.1", "[::1]"):
            self.assert_status(404, "/tenant/", host)

    def test_a_malformed_host_is_refused(self):
        for host in (
            f"{FIRST}/.testserver",
            f"{FIRST}'.testserver",
            f"{FIRST}.testserver:x",
            "testserver.com",
            "",
        ):
            self.assert_status(400, PAGE, host)

    def test_suspended_and_pending_tenants_answer_503(self):
        for status in (Tenant.Status.SUSPENDED, Tenant.Status.PENDING):
            Tenant.objects.filter(slug=FIRST).update(status=status)
            for stack, response in responses(PAGE, f"{FIRST}.testserver"):
                with self.subTest(stack=stack, status=status):
                    self.assertEqual(response.status_code, 503)
                    self.assertGreater(int(response.headers["Retry-After"]), 0)
                    self.assertNotContains(response, "cake", status_code=503)
            self.assert_status(200, PAGE, f"{SECOND}.testserver")

    def test_a_503_shows_its_reason_in_debug_mode_only(self):
        Tenant.objects.filter(slug=FIRST).update(status=Tenant.Status.SUSPENDED)
        for debug in (True, False):
            with self.settings(DEBUG=debug):
                for stack, response in responses(PAGE, f"{FIRST}.testserver"):
                    with self.subTest(stack=stack, debug=debug):
                        self.assertEqual("`resume_tenant`" in response.content.decode(), debug)

    def test_a_404_shows_its_reason_and_the_sites_in_debug_mode_only(self):
        known = f'<a href="http://{FIRST}.testserver/">'
        for host, reason in (("nobody.testserver", "There is no tenant"), ("testserver", "needs a tenant")):
            for debug in (True, False):
                with self.settings(DEBUG=debug), self.assertLogs("django.request", "WARNING"):
                    for stack, response in responses(PAGE, host):
                        with self.subTest(stack=stack, host=host, debug=debug):
                            self.assertEqual(response.status_code, 404)
                            page = response.content.decode()
                            self.assertEqual((reason in page, known in page), (debug, debug))

    @override_settings(DEBUG=True, TENANT_RESOLVER="databases.tenants.resolvers.by_path")
    def test_a_404_lists_the_paths_of_tenants_that_have_paths(self):
        for stack, response in responses("/t/nobody/", "testserver"):
            with self.subTest(stack=stack):
                self.assertContains(response, f'href="http://testserver/t/{FIRST}/"', status_code=404)

    def test_a_query_in_a_thread_without_a_tenant_is_a_500(self):
        self.assert_status(500, "/thread/", f"{FIRST}.testserver")

    def test_no_tenant_is_current_after_a_request(self):
        self.assert_status(200, PAGE, f"{FIRST}.testserver")
        self.assert_status(500, "/thread/", f"{FIRST}.testserver")
        self.assertRaises(NoTenantError, current_tenant)
