"""The process's cache of registry rows: how long a row is used, and what happens while the registry is down."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock

from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, InterfaceError, OperationalError, connections, router, transaction
from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.urls import path

from databases.tenants import UnknownTenantError, questions, registry_cache, use_tenant
from databases.tenants.lifecycle import rename_tenant
from databases.tenants.models import Domain, Tenant
from databases.tenants.questions import RegistryDownError
from databases.tenants.registry import TenantInfo
from databases.tenants.registry_cache import RegistryCache, cache, read_tenants
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import in_thread, responses
from databases.tenants.transitions import resume, suspend
from databases.tests import production

FORK = """
import os
from databases.tenants.registry_cache import cache
cache._known["slug", "acme"] = None
child = os.fork()
if not child:
    os._exit(len(cache._known))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
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


def outage(*args: Any) -> Any:
    """Stand in for a server that is down."""
    try:
        raise ConnectionError("unable to open database file")
    except ConnectionError as gone:
        raise OperationalError("hunter2") from gone


def down(execute: Any, sql: str, *args: Any) -> Any:
    return outage() if "tenants_tenant" in sql else execute(sql, *args)


class CacheTestCase(SimpleTestCase):
    """A mixin: this process knows no rows, and time stands still."""

    def setUp(self):
        self.clock = Clock()
        cache.start()
        for change in (
            mock.patch.object(registry_cache, "time", self.clock),
            mock.patch.object(questions, "time", self.clock),
            override_settings(TENANT_CACHE_SECONDS=1),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        self.addCleanup(cache.start)


@override_settings(
    ALLOWED_HOSTS=[".testserver"],
    MIDDLEWARE=["databases.tenants.middleware.TenantMiddleware"],
    ROOT_URLCONF=__name__,
)
class RegistryCacheTests(CacheTestCase, TransactionTestCase):
    def setUp(self):
        super().setUp()
        Tenant.objects.create(**ROW)

    def assert_served(self, status: int, host: str = "shop", page: str = "/") -> None:
        for stack, response in responses(page, f"{host}.testserver"):
            with self.subTest(stack=stack, host=host):
                self.assertEqual(response.status_code, status)
                self.assertEqual("Retry-After" in response.headers, status == 503)

    def test_a_row_is_cached_for_a_time(self):
        with self.assertNumQueries(1):
            for _ in range(3):
                self.assertEqual(cache.by_host("shop").slug, "acme")
                self.assertEqual(cache.by_slug("acme").host, "shop")
        with transaction.atomic(), self.assertNumQueries(0):
            for _ in range(3):
                cache.by_slug("acme")
        self.clock.now += 1
        with self.assertNumQueries(1):
            self.assertEqual(cache.by_slug("acme"), cache.by_host("shop"))

    def test_a_row_forgotten_while_it_is_read_is_read_again(self):
        def change(execute: Any, *args: Any) -> Any:
            # As another thread, which changes a tenant after this thread has read it.
            result = execute(*args)
            cache.forget("acme")
            return result

        with connections["default"].execute_wrapper(change):
            cache.by_slug("acme")
        with self.assertNumQueries(1):
            cache.by_slug("acme")

    def test_changes_by_other_processes_take_effect_within_that_time(self):
        self.assert_served(200)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(200)
        self.clock.now += 1
        self.assert_served(503)

    def test_changes_by_this_process_take_effect_at_once(self):
        cache.by_slug("acme")
        tenant = Tenant.objects.get()
        tenant.status = Tenant.Status.SUSPENDED
        tenant.save()
        self.assert_served(503)
        tenant.delete()
        self.assertRaises(UnknownTenantError, cache.by_slug, "acme")

    def test_the_registry_is_read_from_the_primary(self):
        # A replica may still have the address that a tenant had before a move.
        keys = [("slug", "acme"), ("domain", "shop.example.com")]
        Domain.objects.create(name="shop.example.com", tenant=Tenant.objects.get(), is_verified=True)
        with mock.patch.object(router, "db_for_read", side_effect=AssertionError("a router is asked")):
            self.assertEqual(set(read_tenants(keys)), {*keys, ("host", "shop")})

    def test_commands_take_effect_in_this_process_at_once(self):
        self.assert_served(200)
        suspend("acme")
        self.assert_served(503)
        resume("acme")
        self.assert_served(200)
        rename_tenant("acme", "store")
        self.assert_served(404)
        self.assert_served(200, "store")

    def test_a_change_has_no_other_tenant_read_again(self):
        cache.by_slug("acme")
        Tenant.objects.create(slug="other", host="other", database="other")
        with self.assertNumQueries(0):
            cache.by_slug("acme")

    def test_a_tenant_is_found_by_its_host_and_not_by_its_slug(self):
        self.assert_served(200, "shop")
        self.assert_served(404, "acme")
        Tenant.objects.update(host="store")
        self.clock.now += 1
        self.assert_served(200, "store")
        self.assert_served(404, "shop")
        Tenant.objects.create(slug="other", host="shop", database="other", status=Tenant.Status.ACTIVE)
        self.assertEqual(cache.by_host("shop").slug, "other")
        self.assertEqual(cache.by_host("store").slug, "acme")

    def test_a_page_cannot_change_the_cached_tenant(self):
        self.assert_served(500, page="/change/")
        self.assertEqual(cache.by_host("shop").slug, "acme")

    def test_known_tenants_are_served_while_the_registry_is_down(self):
        self.assert_served(200)
        with connections["default"].execute_wrapper(down):
            self.clock.now += 3600
            with self.assertLogs("databases.tenants", "WARNING") as logged:
                for _ in range(3):
                    self.assert_served(200)
                    self.clock.now += questions.RETRY_SECONDS
                self.assert_served(503, "unmet")
                self.assert_served(503, page="/other/")
            (line,) = logged.output
            self.assertNotIn("hunter2", line)
        self.clock.now += questions.RETRY_SECONDS
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assert_served(503)
        self.assert_served(404, "unmet")

    def test_any_sign_of_a_lost_connection_is_an_outage(self):
        cache.by_slug("acme")
        self.clock.now += 1
        gone = mock.Mock(side_effect=InterfaceError("connection already closed"))
        with connections["default"].execute_wrapper(gone), self.assertLogs("databases.tenants", "WARNING"):
            self.assertEqual(cache.by_slug("acme").slug, "acme")

    def test_a_failed_transaction_is_no_outage(self):
        cache.by_slug("acme")
        self.clock.now += 1
        with transaction.atomic():
            transaction.set_rollback(True)
            with self.assertNoLogs("databases.tenants", "WARNING"):
                self.assertEqual(cache.by_slug("acme").slug, "acme")
                self.assertRaises(transaction.TransactionManagementError, cache.by_slug, "unmet")

    def test_an_event_loops_thread_sends_no_query(self):
        async def look_up(slug: str) -> str:
            return cache.by_slug(slug).slug

        cache.by_slug("acme")
        self.clock.now += 1
        with self.assertNoLogs("databases.tenants", "WARNING"):
            self.assertEqual(async_to_sync(look_up)("acme"), "acme")
            self.assertRaises(SynchronousOnlyOperation, async_to_sync(look_up), "unmet")

    def test_async_with_asks_outside_of_the_event_loop(self):
        async def rows() -> list[DataPoint]:
            # none(): this tenant has no database, only a registry row.
            async with use_tenant("acme") as tenant:
                self.assertEqual(tenant.host, "shop")
                found = [point async for point in DataPoint.objects.none().aiterator()]
                self.assertFalse(hasattr(connections._connections, tenant.alias))
                return found

        self.assertEqual(async_to_sync(rows)(), [])


class NoCacheTests(TestCase):
    def test_the_tests_settings_cache_nothing(self):
        tenant = Tenant.objects.create(**ROW)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.assertEqual(cache.by_slug("acme").status, Tenant.Status.SUSPENDED)
        tenant.delete()
        self.assertRaises(UnknownTenantError, cache.by_host, "shop")


class Registry:
    """Stands in for the table: its rows, the questions that it got, and a gate that holds its answers back."""

    def __init__(self) -> None:
        self.rows = {slug: Tenant(**{**ROW, "slug": slug, "host": slug}).info for slug in ("acme", "other", "third")}
        self.asked: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Any = None
        self.ended = threading.Event()

    def read(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], TenantInfo]:
        self.asked.append(sorted({slug for _, slug in keys}))
        self.gate.wait()
        if self.error:
            self.error()
        found = {slug: self.rows[slug] for _, slug in keys if slug in self.rows}
        return {(name, slug): row for slug, row in found.items() for name in ("slug", "host")}


@override_settings(TENANT_REGISTRY_SECONDS=0.05)
class QuestionTests(CacheTestCase):
    """As in production: a thread of the cache asks, and whoever asks waits for a limited time."""

    def setUp(self):
        super().setUp()
        self.registry = Registry()
        change = mock.patch.object(registry_cache, "read_tenants", self.registry.read)
        change.__enter__()
        self.addCleanup(change.__exit__, None, None, None)
        self.addCleanup(self.finish)
        self.cache = RegistryCache()

    def finish(self) -> None:
        self.registry.gate.set()
        for thread in threading.enumerate():
            if thread.name == questions.THREAD:
                thread.join()

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_what_is_asked_meanwhile_is_asked_once(self):
        self.registry.gate.clear()
        askers = [
            threading.Thread(target=self.cache.by_slug, args=[slug]) for slug in ("acme", "acme", "other", "other")
        ]
        askers[0].start()
        while not self.registry.asked:
            threading.Event().wait(0.001)
        for each in askers[1:]:
            each.start()
        while len(self.cache._questions._open) < 2:
            threading.Event().wait(0.001)
        with self.cache._lock:
            self.assertEqual([each.name for each in threading.enumerate()].count(questions.THREAD), 1)
        self.registry.gate.set()
        for each in askers:
            each.join()
        self.assertEqual(self.registry.asked, [["acme"], ["other"]])

    @override_settings(TENANT_REGISTRY_SECONDS=5)
    def test_who_asks_after_a_change_is_not_told_the_row_before_it(self):
        self.registry.gate.clear()
        told: list[str] = []
        askers = [threading.Thread(target=lambda: told.append(self.cache.by_slug("acme").host)) for _ in range(2)]
        askers[0].start()
        while not self.registry.asked:
            threading.Event().wait(0.001)
        self.cache.forget("acme")
        askers[1].start()
        while not self.cache._questions:
            threading.Event().wait(0.001)
        self.registry.gate.set()
        for each in askers:
            each.join()
        self.assertEqual((len(told), self.registry.asked), (2, [["acme"], ["acme"]]))

    def test_the_thread_that_asks_keeps_no_connection(self):
        with mock.patch.object(questions, "connections") as used, override_settings(TENANT_REGISTRY_SECONDS=30):
            self.cache.by_slug("acme")
            self.finish()
        used.close_all.assert_called_once_with()

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_rows_that_were_used_lately_are_read_together(self):
        for slug in (*self.registry.rows, "acme"):
            self.cache.by_slug(slug)
        self.finish()
        self.clock.now += 1
        with mock.patch.object(registry_cache, "TOGETHER", 1):
            self.cache.by_slug("other")
        self.finish()
        self.assertEqual(self.registry.asked[-1], ["acme", "other"])

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_an_unchanged_row_stays_the_same_object(self):
        before = self.cache.by_slug("acme")
        self.cache.by_slug("third")
        self.clock.now += 1
        self.registry.rows = {"acme": Tenant(**{**ROW, "host": "acme", "uid": before.uid}).info}
        self.assertIs(self.cache.by_slug("acme"), before)
        # A deleted row leaves the cache.
        self.assertRaises(UnknownTenantError, self.cache.by_slug, "third")

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_an_error_that_is_no_outage_is_raised(self):
        self.registry.error = mock.Mock(side_effect=DatabaseError("there is no such table"))
        self.assertRaisesMessage(DatabaseError, "no such table", self.cache.by_slug, "acme")

    def test_a_registry_that_hangs_holds_nobody_for_long(self):
        with override_settings(TENANT_REGISTRY_SECONDS=30):
            known = self.cache.by_slug("acme")
            self.finish()
        self.registry.gate.clear()
        self.clock.now += 1
        with self.assertLogs("databases.tenants", "WARNING") as logged:
            self.assertIs(self.cache.by_slug("acme"), known)
            self.assertRaises(RegistryDownError, self.cache.by_slug, "unmet")
        self.assertEqual(len(logged.output), 1)
        # It is asked by one thread only, and others do not wait for it at all.
        self.clock.now += questions.RETRY_SECONDS
        with mock.patch("concurrent.futures.Future.exception", side_effect=AssertionError("waits")):
            self.assertIs(in_thread(lambda: self.cache.by_slug("acme")), known)
        self.assertEqual(self.registry.asked, [["acme"], ["acme"]])
        # As soon as it has answered, it is asked again.
        self.registry.gate.set()
        self.finish()
        self.clock.now -= questions.RETRY_SECONDS
        with override_settings(TENANT_REGISTRY_SECONDS=30):
            self.assertEqual(self.cache.by_slug("other").slug, "other")

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_a_registry_that_is_down_is_asked_once_in_a_while(self):
        known = self.cache.by_slug("acme")
        self.clock.now += 1
        self.registry.error = outage
        with self.assertLogs("databases.tenants", "WARNING") as logged:
            for _ in range(5):
                self.assertIs(self.cache.by_slug("acme"), known)
                self.assertRaises(RegistryDownError, self.cache.by_slug, "unmet")
        self.assertEqual((len(self.registry.asked), len(logged.output)), (2, 1))
        self.assertNotIn("hunter2", logged.output[0])
        self.clock.now += questions.RETRY_SECONDS
        self.registry.error = None
        self.cache.by_slug("acme")
        self.assertEqual(len(self.registry.asked), 3)
        # The next outage is logged too.
        self.clock.now += 1
        self.registry.error = outage
        with self.assertLogs("databases.tenants", "WARNING"):
            self.cache.by_slug("acme")

    @override_settings(TENANT_REGISTRY_SECONDS=1)
    def test_a_process_may_start_while_the_registry_is_down(self):
        self.registry.error = outage
        with self.assertLogs("databases.tenants", "WARNING"):
            self.assertRaises(RegistryDownError, self.cache.by_slug, "acme")

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_a_thread_that_cannot_start_or_ends_early_is_replaced(self):
        with mock.patch.object(questions.threading.Thread, "start", side_effect=RuntimeError("no more threads")):
            self.assertRaisesMessage(RuntimeError, "no more threads", self.cache.by_slug, "acme")
        self.assertEqual(self.cache.by_slug("acme").slug, "acme")
        self.finish()
        self.registry.error = mock.Mock(side_effect=SystemExit)
        with (
            override_settings(TENANT_REGISTRY_SECONDS=0.05),
            mock.patch.object(threading, "excepthook"),
            self.assertLogs("databases.tenants", "WARNING"),
        ):
            self.assertRaises(RegistryDownError, self.cache.by_slug, "other")
            self.finish()
        self.registry.error = None
        self.clock.now += questions.RETRY_SECONDS
        self.assertEqual(self.cache.by_slug("other").slug, "other")

    @override_settings(TENANT_REGISTRY_SECONDS=30)
    def test_a_forked_process_asks_with_a_thread_of_its_own(self):
        self.registry.gate.clear()
        asker = threading.Thread(target=self.cache.by_slug, args=["acme"])
        asker.start()
        while not self.registry.asked:
            threading.Event().wait(0.001)
        # As after fork(): the parent's thread does not exist in the child.
        child = RegistryCache()
        child._questions.__dict__.update({**self.cache._questions.__dict__, "_answer": child._read})
        child.start()
        self.registry.gate.set()
        self.assertEqual(child.by_slug("other").slug, "other")
        asker.join()
        self.assertEqual(production.run(FORK), 0)
