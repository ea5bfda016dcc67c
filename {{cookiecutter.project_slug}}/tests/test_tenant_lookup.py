"""What a process remembers of the registry: fresh enough, and good for an outage of the registry's database."""

from __future__ import annotations

from typing import Any
from unittest import mock

from asgiref.sync import async_to_sync
from django.db import InterfaceError, OperationalError, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import path

from databases.models import Tenant
from databases.tenants import UnknownTenantError, lookup, use_tenant
from projects.models import DataPoint

from .test_tenant_requests import responses

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
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def down(execute: Any, sql: str, *args: Any) -> Any:
    """Stand in for a server that is not there."""
    if "databases_tenant" not in sql:
        return execute(sql, *args)
    try:
        raise ConnectionError("unable to open database file")
    except ConnectionError as gone:
        raise OperationalError("hunter2") from gone


@override_settings(
    ROOT_URLCONF=__name__, MIDDLEWARE=["databases.tenants.middleware.TenantMiddleware"], TENANT_CACHE_SECONDS=1
)
class LookupTests(TransactionTestCase):
    def setUp(self):
        self.clock = Clock()
        for change in (
            mock.patch.object(lookup, "time", self.clock),
            mock.patch.dict(lookup._rows, clear=True),
            mock.patch.dict(lookup._slugs, clear=True),
            mock.patch.object(lookup, "_outage", lookup._Outage()),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        Tenant.objects.create(**ROW)

    def assert_served(self, status: int, host: str = "shop", page: str = "/") -> None:
        for stack, response in responses(page, f"{host}.testserver"):
            with self.subTest(stack=stack, host=host):
                self.assertEqual(response.status_code, status)
                self.assertEqual("Retry-After" in response.headers, status == 503)

    def test_the_registry_is_asked_once_in_a_while(self):
        with self.assertNumQueries(1):
            for _ in range(3):
                self.assertEqual(lookup.by_host("shop").slug, "acme")
                self.assertEqual(lookup.by_slug("acme").host, "shop")
        self.clock.now += 1
        with self.assertNumQueries(1):
            self.assertEqual(lookup.by_slug("acme"), lookup.by_host("shop"))

    def test_those_met_last_are_asked_for_together(self):
        Tenant.objects.bulk_create(Tenant(slug=f"t-{n}", host=f"t-{n}", database=f"t_{n}") for n in range(4))
        slugs = ["acme", *(f"t-{n}" for n in range(4))]
        with mock.patch.object(lookup, "TOGETHER", 3):
            with self.assertNumQueries(5):
                for slug in slugs:
                    lookup.by_slug(slug)
            lookup.by_slug("acme")
            self.clock.now += 1
            Tenant.objects.update(status=Tenant.Status.SUSPENDED)
            # As another process does: without a signal here.
            Tenant.objects.filter(slug="t-2")._raw_delete("default")
            with self.assertNumQueries(1):
                self.assertEqual(lookup.by_slug("t-3").status, Tenant.Status.SUSPENDED)
                self.assertEqual(lookup.by_slug("acme").status, Tenant.Status.SUSPENDED)
            # One met longer ago is asked for when somebody wants it.
            with self.assertNumQueries(1):
                self.assertEqual(lookup.by_slug("t-0").status, Tenant.Status.SUSPENDED)
            # One that is gone is not asked for for ever.
            self.assertNotIn("t-2", lookup._rows)
            self.assertRaises(UnknownTenantError, lookup.by_slug, "t-2")

    def test_one_that_is_forgotten_while_others_are_asked_for_is_asked_for_again(self):
        Tenant.objects.create(slug="other", host="other", database="other", status=Tenant.Status.ACTIVE)
        lookup.by_slug("acme")
        lookup.by_slug("other")
        self.clock.now += 1

        def change(execute: Any, *args: Any) -> Any:
            # As another thread does that changes a tenant after this thread has read it.
            result = execute(*args)
            lookup.forget("acme")
            return result

        with connections["default"].execute_wrapper(change):
            lookup.by_slug("other")
        with self.assertNumQueries(1):
            lookup.by_slug("acme")

    def test_what_another_process_does_takes_effect_within_that_time(self):
        self.assert_served(200)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(200)
        self.clock.now += 1
        self.assert_served(503)

    def test_what_this_process_does_takes_effect_at_once(self):
        tenant = lookup.by_slug("acme")
        self.assertIs(lookup.by_slug("acme"), tenant)
        tenant.status = Tenant.Status.SUSPENDED
        tenant.save()
        self.assert_served(503)
        tenant.delete()
        self.assertRaises(UnknownTenantError, lookup.by_slug, "acme")

    def test_a_tenant_is_found_by_its_host_and_not_by_its_slug(self):
        self.assert_served(200, "shop")
        self.assert_served(404, "acme")
        Tenant.objects.update(host="store")
        self.clock.now += 1
        self.assert_served(200, "store")
        self.assert_served(404, "shop")
        Tenant.objects.create(slug="other", host="shop", database="other", status=Tenant.Status.ACTIVE)
        self.assertEqual(lookup.by_host("shop").slug, "other")
        self.assertEqual(lookup.by_host("store").slug, "acme")

    def test_what_a_page_does_to_its_tenant_stays_on_the_page(self):
        self.assert_served(200, page="/change/")
        self.assertEqual(lookup.by_host("shop").slug, "acme")

    def test_what_a_transaction_sees_is_for_itself_alone(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Tenant.objects.update(server="elsewhere")
            self.assertEqual(lookup.by_slug("acme").server, "elsewhere")
            1 / 0  # noqa: B018
        self.assertEqual(lookup.by_slug("acme").server, "default")

    def test_known_tenants_are_served_while_the_registry_is_down_and_others_are_told_to_come_back(self):
        self.assert_served(200)
        with connections["default"].execute_wrapper(down):
            self.clock.now += 3600
            with self.assertLogs("databases.tenants", "WARNING") as logged:
                for _ in range(3):
                    self.assert_served(200)
                    self.clock.now += lookup.RETRY_SECONDS
                self.assert_served(503, "unmet")
                self.assert_served(503, page="/other/")
            (line,) = logged.output
            self.assertNotIn("hunter2", line)
        self.clock.now += lookup.RETRY_SECONDS
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(503)
        self.assert_served(404, "unmet")

    def test_a_database_that_is_down_is_not_asked_for_every_query(self):
        lookup.by_slug("acme")
        self.clock.now += 1
        asked = mock.Mock(side_effect=down)
        with connections["default"].execute_wrapper(asked), self.assertLogs("databases.tenants", "WARNING"):
            for _ in range(5):
                self.assertEqual(lookup.by_slug("acme").slug, "acme")
                self.assertRaises(lookup.RegistryDownError, lookup.by_slug, "unmet")
            self.assertEqual(asked.call_count, 1)
            self.clock.now += lookup.RETRY_SECONDS
            # While one thread waits for an answer, the others do not.
            self.assertTrue(lookup._outage.may_ask())
            lookup.by_slug("acme")
            self.assertEqual(asked.call_count, 1)

    def test_any_sign_of_a_lost_connection_is_an_outage(self):
        lookup.by_slug("acme")
        self.clock.now += 1
        gone = mock.Mock(side_effect=InterfaceError("connection already closed"))
        with connections["default"].execute_wrapper(gone), self.assertLogs("databases.tenants", "WARNING"):
            self.assertEqual(lookup.by_slug("acme").slug, "acme")

    def test_a_failed_transaction_is_no_outage(self):
        lookup.by_slug("acme")
        self.clock.now += 1
        with transaction.atomic():
            transaction.set_rollback(True)
            with self.assertNoLogs("databases.tenants", "WARNING"):
                self.assertEqual(lookup.by_slug("acme").slug, "acme")
                self.assertRaises(transaction.TransactionManagementError, lookup.by_slug, "unmet")
        self.assertTrue(lookup._outage.may_ask())

    def test_the_thread_of_an_event_loop_asks_nothing(self):
        async def look_up() -> str:
            return lookup.by_slug("acme").slug

        lookup.by_slug("acme")
        self.clock.now += 1
        with self.assertNoLogs("databases.tenants", "WARNING"):
            self.assertEqual(async_to_sync(look_up)(), "acme")

    def test_an_async_iterator_may_be_the_first_to_want_a_tenant(self):
        async def rows() -> list[DataPoint]:
            # None, for this tenant has no database: what is read of it is in the registry.
            with use_tenant("acme"):
                return [point async for point in DataPoint.objects.none().aiterator()]

        self.addCleanup(connections.release)
        self.assertEqual(async_to_sync(rows)(), [])


class WithoutMemoryTests(TestCase):
    def test_in_tests_every_look_up_asks(self):
        tenant = Tenant.objects.create(**ROW)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assertEqual(lookup.by_slug("acme").status, Tenant.Status.SUSPENDED)
        tenant.delete()
        self.assertRaises(UnknownTenantError, lookup.by_host, "shop")
