"""Resolvers find the tenant of a request and of a websocket: by sub-domain, by own domain, or by path."""

from __future__ import annotations

from unittest import mock

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import get_script_prefix, path, reverse

from databases.tenants import UnknownTenantError, pages
from databases.tenants.context import tenant_or_none
from databases.tenants.models import Domain, Tenant
from databases.tenants.registry_cache import cache
from databases.tenants.resolvers import Place, by_domain, by_path, by_subdomain, resolve_scope
from databases.tenants.testing import TenantTestCase
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import FIRST, SECOND, responses


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.tenant} {tenant_or_none()} {reverse('page')} {request.path_info} {request.path}")


urlpatterns = [path("", page, name="start"), path("page/", page, name="page")]


def always_the_first(host: str, path: str) -> Place:
    """A resolver of the project's own."""
    return Place(cache.by_slug(FIRST))


def resolved_by(name: str) -> override_settings:
    return override_settings(TENANT_RESOLVER=name if "." in name else f"databases.tenants.resolvers.{name}")


@override_settings(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)
@own_site
class ResolverTests(TenantTestCase):
    tenants = (FIRST, SECOND)

    def assert_page(self, host: str, page: str, expected: str | int) -> None:
        for stack, response in responses(page, host):
            with self.subTest(stack=stack, host=host, page=page):
                shown = response.content.decode() if response.status_code == 200 else response.status_code
                self.assertEqual(shown, expected)
        # Nothing is left for the next request of this thread.
        self.assertEqual(get_script_prefix(), "/")

    def test_a_sub_domain_names_a_tenant(self):
        self.assertEqual(by_subdomain("testserver", "/"), Place(None))
        self.assertEqual(by_subdomain(f"{FIRST}.testserver", "/").tenant.slug, FIRST)
        for host in (
            "example.com",
            f"a.{FIRST}.testserver",
            "A.testserver",
            f"{FIRST}testserver",
            FIRST,
            ".testserver",
        ):
            with self.subTest(host):
                self.assertRaises(UnknownTenantError, by_subdomain, host, "/")

    @override_settings(ALLOWED_HOSTS=["*"])
    @resolved_by("by_domain")
    def test_a_verified_domain_names_its_tenant(self):
        domain = Domain.objects.create(name="shop.example.com", tenant=Tenant.objects.get(slug=FIRST))
        self.assert_page("shop.example.com", "/", 404)
        domain.is_verified = True
        domain.save()
        self.assert_page("shop.example.com", "/", f"{FIRST} {FIRST} /page/ / /")
        self.assert_page("Shop.Example.com.:8000", "/", f"{FIRST} {FIRST} /page/ / /")
        self.assert_page("example.com", "/", 404)
        self.assert_page(f"{SECOND}.testserver", "/", f"{SECOND} {SECOND} /page/ / /")
        self.assert_page("testserver", "/", "None None /page/ / /")
        self.assertEqual(by_domain("shop.example.com", "/").tenant.slug, FIRST)

    @resolved_by("by_subdomain")
    def test_a_domain_is_not_served_by_another_resolver(self):
        Domain.objects.create(name="shop.example.com", tenant=Tenant.objects.get(slug=FIRST), is_verified=True)
        self.assertRaises(UnknownTenantError, by_subdomain, "shop.example.com", "/")

    @resolved_by("by_path")
    def test_a_path_names_a_tenant_and_reverse_keeps_it(self):
        start = f"/t/{FIRST}"
        self.assert_page("testserver", f"{start}/", f"{FIRST} {FIRST} {start}/page/ / {start}/")
        self.assert_page("testserver", f"{start}/page/", f"{FIRST} {FIRST} {start}/page/ /page/ {start}/page/")
        self.assert_page("testserver", "/page/", "None None /page/ /page/ /page/")
        self.assert_page("testserver", "/t/nobody/page/", 404)
        self.assert_page(f"{FIRST}.testserver", "/page/", 404)
        for central in ("/", "/t", "/t/", f"/t/{FIRST}", "/tea/x/"):
            with self.subTest(central):
                self.assertEqual(by_path("testserver", central), Place(None))
        # Databases refuse some characters.
        for invalid in ("/t/../x/", "/t//x/", "/t/\0/x/"):
            with self.subTest(invalid), self.assertNumQueries(0):
                self.assertRaises(UnknownTenantError, by_path, "testserver", invalid)

    @resolved_by(f"{__name__}.always_the_first")
    def test_a_resolver_of_ones_own_decides(self):
        self.assert_page("testserver", "/", f"{FIRST} {FIRST} /page/ / /")

    def test_a_page_for_an_unknown_host_lists_the_known_ones_in_debug_mode_only(self):
        for debug in (True, False):
            with self.settings(DEBUG=debug):
                for _, response in responses("/", "nobody.testserver:8000"):
                    text = response.content.decode()
                    self.assertEqual(response.status_code, 404)
                    for host in ("testserver", f"{FIRST}.testserver", f"{SECOND}.testserver"):
                        self.assertEqual(f'<a href="http://{host}:8000/">{host}:8000</a>' in text, debug)

    @override_settings(DEBUG=True)
    def test_that_page_lists_some_of_many_tenants(self):
        with mock.patch.object(pages, "LISTED", 1):
            self.assertEqual(self.client.get("/", headers={"host": "a.b.testserver"}).content.count(b"<li>"), 2)

    @override_settings(DEBUG=True)
    def test_that_page_is_shown_while_the_registry_cannot_be_read(self):
        with mock.patch.object(Tenant.objects, "values_list", side_effect=DatabaseError):
            for stack, response in responses("/", "a.b.testserver"):
                with self.subTest(stack):
                    self.assertContains(response, '<a href="http://testserver/">', status_code=404)


class ScopeTests(TenantTestCase):
    tenants = (FIRST,)

    def resolve(self, host: str, path: str = "/chat/") -> Place:
        return resolve_scope({"type": "websocket", "path": path, "headers": [(b"host", host.encode())]})

    def test_a_websocket_has_the_tenant_of_its_host(self):
        place = self.resolve(f"{FIRST}.testserver:80")
        self.assertEqual((str(place.tenant), place.prefix), (FIRST, ""))
        self.assertEqual(self.resolve("testserver"), Place(None))

    @resolved_by("by_path")
    def test_the_path_of_a_websocket_is_resolved(self):
        place = self.resolve("testserver", f"/t/{FIRST}/chat/")
        self.assertEqual((str(place.tenant), place.prefix), (FIRST, f"/t/{FIRST}"))

    def test_a_websocket_of_an_unknown_host_is_refused(self):
        for host in ("nobody.testserver", "example.com", f"{FIRST}.example.com", ""):
            with self.subTest(host), self.assertRaises(UnknownTenantError):
                self.resolve(host)

    @override_settings(ALLOWED_HOSTS=["testserver"])
    def test_a_websocket_of_a_host_that_is_not_allowed_is_refused(self):
        with self.assertRaises(UnknownTenantError):
            self.resolve(f"{FIRST}.testserver")
        self.assertEqual(self.resolve("testserver"), Place(None))
