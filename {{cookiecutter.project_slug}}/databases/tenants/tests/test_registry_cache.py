"""The process's cache of registry rows: how long a row is used, and what happens while the registry is down."""

from __future__ import annotations

from typing import Any
from unittest import mock

from asgiref.sync import async_to_sync
from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import path

from databases.tenants import UnknownTenantError, registry_cache, use_tenant
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import responses

ROW = {"slug": "acme", "host": "shop", "database": "acme", "status": Tenant.Status.ACTIVE}


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.tenant))


def page_that_changes_its_tenant(request: HttpRequest) -> HttpResponse:
    request.tenant.slug = "changed"
    return HttpResponse("changed")


def page_of_another_tenant(request: HttpRequest) -> HttpResponse:
    return HttpResponse(connections["tenant_unmet"].alias)


urlpatterns = [path("", page), path("change/", page_that_changes_its_tenant), path("other/", page_of_another_tenant)]


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def down(execute: Any, sql: str, *args: Any) -> Any:
    """Stand in for a server that does not answer."""
    if "tenants_tenant" not in sql:
        return execute(sql, *args)
    try:
        raise ConnectionError("unable to open database file")
    except ConnectionError as gone:
        raise OperationalError("hunter2") from gone


@override_settings(
    ALLOWED_HOSTS=[".testserver"],
    MIDDLEWARE=["databases.tenants.middleware.TenantMiddleware"],
    ROOT_URLCONF=__name__,
    TENANT_CACHE_SECONDS=1,
)
class RegistryCacheTests(TransactionTestCase):
    def setUp(self):
        self.clock = Clock()
        for change in (
            mock.patch.object(registry_cache, "time", self.clock),
            mock.patch.dict(registry_cache._rows, clear=True),
            mock.patch.dict(registry_cache._slugs, clear=True),
            mock.patch.object(registry_cache, "_outage", registry_cache._Outage()),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        Tenant.objects.create(**ROW)

    def assert_served(self, status: int, host: str = "shop", page: str = "/") -> None:
        for stack, response in responses(page, f"{host}.testserver"):
            with self.subTest(stack=stack, host=host):
                self.assertEqual(response.status_code, status)
                self.assertEqual("Retry-After" in response.headers, status == 503)

    def test_a_row_is_cached_for_a_time(self):
        with self.assertNumQueries(1):
            for _ in range(3):
                self.assertEqual(registry_cache.by_host("shop").slug, "acme")
                self.assertEqual(registry_cache.by_slug("acme").host, "shop")
        self.clock.now += 1
        with self.assertNumQueries(1):
            self.assertEqual(registry_cache.by_slug("acme"), registry_cache.by_host("shop"))

    def test_recently_used_rows_are_refreshed_by_one_query(self):
        Tenant.objects.bulk_create(Tenant(slug=f"t-{n}", host=f"t-{n}", database=f"t_{n}") for n in range(4))
        slugs = ["acme", *(f"t-{n}" for n in range(4))]
        with mock.patch.object(registry_cache, "TOGETHER", 3):
            with self.assertNumQueries(5):
                for slug in slugs:
                    registry_cache.by_slug(slug)
            registry_cache.by_slug("acme")
            self.clock.now += 1
            Tenant.objects.update(status=Tenant.Status.SUSPENDED)
            # As another process: this one gets no signal.
            Tenant.objects.filter(slug="t-2")._raw_delete("default")
            with self.assertNumQueries(1):
                self.assertEqual(registry_cache.by_slug("t-3").status, Tenant.Status.SUSPENDED)
                self.assertEqual(registry_cache.by_slug("acme").status, Tenant.Status.SUSPENDED)
            # A row outside of the last TOGETHER is read when it is used.
            with self.assertNumQueries(1):
                self.assertEqual(registry_cache.by_slug("t-0").status, Tenant.Status.SUSPENDED)
            # A deleted row leaves the cache.
            self.assertNotIn("t-2", registry_cache._rows)
            self.assertRaises(UnknownTenantError, registry_cache.by_slug, "t-2")

    def test_a_row_forgotten_during_a_refresh_is_read_again(self):
        Tenant.objects.create(slug="other", host="other", database="other", status=Tenant.Status.ACTIVE)
        registry_cache.by_slug("acme")
        registry_cache.by_slug("other")
        self.clock.now += 1

        def change(execute: Any, *args: Any) -> Any:
            # As another thread, which changes a tenant after this thread has read it.
            result = execute(*args)
            registry_cache.forget("acme")
            return result

        with connections["default"].execute_wrapper(change):
            registry_cache.by_slug("other")
        with self.assertNumQueries(1):
            registry_cache.by_slug("acme")

    def test_changes_by_other_processes_take_effect_within_that_time(self):
        self.assert_served(200)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(200)
        self.clock.now += 1
        self.assert_served(503)

    def test_changes_by_this_process_take_effect_at_once(self):
        tenant = registry_cache.by_slug("acme")
        self.assertIs(registry_cache.by_slug("acme"), tenant)
        tenant.status = Tenant.Status.SUSPENDED
        tenant.save()
        self.assert_served(503)
        tenant.delete()
        self.assertRaises(UnknownTenantError, registry_cache.by_slug, "acme")

    def test_a_tenant_is_found_by_its_host_and_not_by_its_slug(self):
        self.assert_served(200, "shop")
        self.assert_served(404, "acme")
        Tenant.objects.update(host="store")
        self.clock.now += 1
        self.assert_served(200, "store")
        self.assert_served(404, "shop")
        Tenant.objects.create(slug="other", host="shop", database="other", status=Tenant.Status.ACTIVE)
        self.assertEqual(registry_cache.by_host("shop").slug, "other")
        self.assertEqual(registry_cache.by_host("store").slug, "acme")

    def test_a_page_cannot_change_the_cached_tenant(self):
        self.assert_served(200, page="/change/")
        self.assertEqual(registry_cache.by_host("shop").slug, "acme")

    def test_rows_read_in_a_transaction_are_not_cached(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Tenant.objects.update(server="elsewhere")
            self.assertEqual(registry_cache.by_slug("acme").server, "elsewhere")
            1 / 0  # noqa: B018
        self.assertEqual(registry_cache.by_slug("acme").server, "default")

    def test_known_tenants_are_served_while_the_registry_is_down(self):
        self.assert_served(200)
        with connections["default"].execute_wrapper(down):
            self.clock.now += 3600
            with self.assertLogs("databases.tenants", "WARNING") as logged:
                for _ in range(3):
                    self.assert_served(200)
                    self.clock.now += registry_cache.RETRY_SECONDS
                self.assert_served(503, "unmet")
                self.assert_served(503, page="/other/")
            (line,) = logged.output
            self.assertNotIn("hunter2", line)
        self.clock.now += registry_cache.RETRY_SECONDS
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(503)
        self.assert_served(404, "unmet")

    def test_a_registry_that_is_down_is_tried_once_in_a_while(self):
        registry_cache.by_slug("acme")
        self.clock.now += 1
        asked = mock.Mock(side_effect=down)
        with connections["default"].execute_wrapper(asked), self.assertLogs("databases.tenants", "WARNING"):
            for _ in range(5):
                self.assertEqual(registry_cache.by_slug("acme").slug, "acme")
                self.assertRaises(registry_cache.RegistryDownError, registry_cache.by_slug, "unmet")
            self.assertEqual(asked.call_count, 1)
            self.clock.now += registry_cache.RETRY_SECONDS
            # While one thread waits for an answer, the others do not.
            self.assertTrue(registry_cache._outage.may_query())
            registry_cache.by_slug("acme")
            self.assertEqual(asked.call_count, 1)

    def test_any_sign_of_a_lost_connection_is_an_outage(self):
        registry_cache.by_slug("acme")
        self.clock.now += 1
        gone = mock.Mock(side_effect=InterfaceError("connection already closed"))
        with connections["default"].execute_wrapper(gone), self.assertLogs("databases.tenants", "WARNING"):
            self.assertEqual(registry_cache.by_slug("acme").slug, "acme")

    def test_a_failed_transaction_is_no_outage(self):
        registry_cache.by_slug("acme")
        self.clock.now += 1
        with transaction.atomic():
            transaction.set_rollback(True)
            with self.assertNoLogs("databases.tenants", "WARNING"):
                self.assertEqual(registry_cache.by_slug("acme").slug, "acme")
                self.assertRaises(transaction.TransactionManagementError, registry_cache.by_slug, "unmet")
        self.assertTrue(registry_cache._outage.may_query())

    def test_an_event_loops_thread_sends_no_query(self):
        async def look_up() -> str:
            return registry_cache.by_slug("acme").slug

        registry_cache.by_slug("acme")
        self.clock.now += 1
        with self.assertNoLogs("databases.tenants", "WARNING"):
            self.assertEqual(async_to_sync(look_up)(), "acme")

    def test_an_async_iterator_may_be_the_first_use_of_a_tenant(self):
        async def rows() -> list[DataPoint]:
            # none(): this tenant has no database, only a registry row.
            with use_tenant("acme"):
                return [point async for point in DataPoint.objects.none().aiterator()]

        self.addCleanup(connections.release)
        self.assertEqual(async_to_sync(rows)(), [])


class NoCacheTests(TestCase):
    def test_the_tests_settings_cache_nothing(self):
        tenant = Tenant.objects.create(**ROW)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assertEqual(registry_cache.by_slug("acme").status, Tenant.Status.SUSPENDED)
        tenant.delete()
        self.assertRaises(UnknownTenantError, registry_cache.by_host, "shop")
