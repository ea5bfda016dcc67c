"""What the pages of a tenant answer during and after an operation of the fleet."""

from __future__ import annotations

from unittest import mock

from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import path

from databases.fleet.states import FleetStatus
from databases.tenants import pages
from databases.tenants.models import Tenant
from databases.tenants.registry_cache import cache
from databases.tenants.tests.test_requests import responses


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("read")


urlpatterns = [path("", page)]


@override_settings(ROOT_URLCONF=__name__)
class StatusTests(SimpleTestCase):
    def test_each_status_has_its_answer(self):
        for status, expected in (
            (Tenant.Status.ACTIVE, 200),
            (FleetStatus.ARCHIVED, 404),
            (FleetStatus.ARCHIVING, 503),
            (FleetStatus.MOVING, 503),
            (FleetStatus.RESTORING, 503),
            (Tenant.Status.SUSPENDED, 503),
            (Tenant.Status.PENDING, 503),
        ):
            tenant = Tenant(slug="acme", database="acme", status=status).info
            with mock.patch.object(cache, "by_host", return_value=tenant):
                for stack, response in responses("/", "acme.testserver"):
                    with self.subTest(status, stack=stack):
                        self.assertEqual(response.status_code, expected)
                        self.assertEqual("Retry-After" in response.headers, expected == 503)

    @override_settings(DEBUG=True)
    def test_an_archived_tenant_says_in_debug_mode_how_to_restore_it(self):
        tenant = Tenant(slug="acme", database="acme", status=FleetStatus.ARCHIVED).info
        with mock.patch.object(cache, "by_host", return_value=tenant), mock.patch.object(pages, "Tenant"):
            for stack, response in responses("/", "acme.testserver"):
                with self.subTest(stack=stack):
                    self.assertContains(response, "`restore_tenant`", status_code=404)
