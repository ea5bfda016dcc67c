"""A moving tenant is read-only, and the pages of an archived tenant answer 404."""

from __future__ import annotations

from unittest import mock

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from databases.fleet.states import FleetStatus
from databases.fleet.write_block import TenantReadOnlyError
from databases.tenants import registry_cache
from databases.tenants.models import Tenant
from databases.tenants.tests.many_tenants import ManyTenantsTestCase
from databases.tenants.tests.test_requests import responses

TABLE = "moved_things"


def run(alias: str, sql: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)


def read(request: HttpRequest) -> HttpResponse:
    run(request.tenant.alias, "SELECT 1")
    return HttpResponse("read")


def write(request: HttpRequest) -> HttpResponse:
    run(request.tenant.alias, f"INSERT INTO {TABLE} VALUES (1)")
    return HttpResponse("written")


urlpatterns = [path("read/", read), path("write/", write)]


@override_settings(ROOT_URLCONF=__name__)
class WriteBlockTests(ManyTenantsTestCase):
    def setUp(self):
        super().setUp()
        (self.alias,) = self.register(1)
        self.tenant = self.tenants["number-0"]
        by_host = mock.patch.object(registry_cache, "by_host", lambda host: self.find(host))
        by_host.start()
        self.addCleanup(by_host.stop)
        run(self.alias, f"CREATE TABLE {TABLE} (id integer)")
        self.addCleanup(self.drop_table)
        self.become(Tenant.Status.ACTIVE)

    def drop_table(self) -> None:
        self.become(Tenant.Status.ACTIVE)
        run(self.alias, f"DROP TABLE {TABLE}")

    def become(self, status: str) -> None:
        self.tenant = Tenant(slug="number-0", database="number_0", uid=self.tenant.uid, status=status)
        self.tenants["number-0"] = self.tenant

    def assert_pages(self, **expected: int) -> None:
        for name, status in expected.items():
            for stack, response in responses(f"/{name}/", "number-0.testserver"):
                with self.subTest(name, stack=stack, tenant=self.tenant.status):
                    self.assertEqual(response.status_code, status)
                    self.assertEqual("Retry-After" in response.headers, status == 503)

    def test_pages_that_only_read_are_served_and_others_are_unavailable_for_now(self):
        self.assert_pages(read=200, write=200)
        self.become(FleetStatus.MOVING)
        self.assert_pages(read=200, write=503)
        self.become(Tenant.Status.ACTIVE)
        self.assert_pages(read=200, write=200)

    def test_a_write_says_why_it_is_refused(self):
        self.become(FleetStatus.MOVING)
        with self.assertRaisesMessage(TenantReadOnlyError, "'tenant_number-0' is read-only while the tenant moves"):
            run(self.alias, f"INSERT INTO {TABLE} VALUES (1)")
        with self.assertRaisesMessage(Exception, "nonsense") as mistake:
            run(self.alias, "SELECT nonsense")
        self.assertNotIsInstance(mistake.exception, TenantReadOnlyError)

    def test_the_pages_of_other_statuses(self):
        for status, expected in (
            (FleetStatus.ARCHIVED, 404),
            (FleetStatus.ARCHIVING, 503),
            (FleetStatus.RESTORING, 503),
            (Tenant.Status.SUSPENDED, 503),
            (Tenant.Status.PENDING, 503),
        ):
            self.become(status)
            self.assert_pages(read=expected)
