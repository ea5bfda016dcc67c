"""The test cases that the project's own tests use."""

from __future__ import annotations

import urllib.request

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import path

from databases.tenants import NoTenantError, current_tenant, use_tenant
from databases.tenants.models import Tenant
from databases.tenants.testing import TenantLiveServerTestCase, TenantTestCase, TenantTransactionTestCase
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import FIRST, FIRST_ALIAS, SECOND, SECOND_ALIAS


def names(request: HttpRequest) -> HttpResponse:
    """A page of the tenants and of the central site."""
    if request.tenant is None:
        return HttpResponse(f"central: {request.get_host()}")
    return HttpResponse(f"{request.tenant}: {[point.name for point in DataPoint.objects.all()]}")


async def async_names(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.tenant}: {[point.name async for point in DataPoint.objects.all()]}")


urlpatterns = [path("", names), path("async/", async_names)]

site = override_settings(ROOT_URLCONF=__name__)


@site
@own_site
class TestCaseTests(TenantTestCase):
    tenants = (FIRST, SECOND)

    @classmethod
    def setUpTestData(cls):
        with use_tenant(FIRST):
            cls.point = DataPoint.objects.create(name="cake", value=1)

    def test_the_databases_follow_the_tenants(self):
        self.assertEqual(self.databases, {"default", FIRST_ALIAS, SECOND_ALIAS})

        class More(TenantTestCase):
            databases = {"more"}

        class Most(More):
            tenants = (FIRST,)

        self.assertEqual(More.databases, {"default", "more"})
        self.assertEqual(Most.databases, {"default", "more", FIRST_ALIAS})

    def test_no_tenant_is_current_and_all_are_registered(self):
        self.assertRaises(NoTenantError, current_tenant)
        self.assertEqual({row.slug for row in Tenant.objects.all()}, {FIRST, SECOND})

    def test_the_client_asks_the_host_of_the_current_tenant(self):
        for slug, expected in ((FIRST, "['cake']"), (SECOND, "[]")):
            with use_tenant(slug):
                self.assertContains(self.client.get("/"), f"{slug}: {expected}", html=False)
        self.assertContains(self.client.get("/"), "central: testserver")
        with use_tenant(FIRST):
            elsewhere = self.client.get("/", headers={"host": f"{SECOND}.testserver"})
        self.assertContains(elsewhere, f"{SECOND}: []")

    def test_the_rows_of_a_class_may_be_changed(self):
        with use_tenant(FIRST):
            self.point.name = "pie"
            self.point.save()
            self.assertEqual(DataPoint.objects.get().name, "pie")

    async def test_the_async_client_asks_the_same_host(self):
        for slug, expected in ((FIRST, "['cake']"), (SECOND, "[]")):
            async with use_tenant(slug):
                self.assertContains(await self.async_client.get("/async/"), f"{slug}: {expected}")
        async with use_tenant(FIRST):
            elsewhere = await self.async_client.get("/async/", headers={"host": f"{SECOND}.testserver"})
        self.assertContains(elsewhere, f"{SECOND}: []")


@site
@own_site
class TransactionTestCaseTests(TenantTransactionTestCase):
    tenants = (FIRST,)

    def test_the_tenant_is_there_in_every_test(self):
        # As after each test of this kind.
        Tenant.objects.all().delete()
        self.setUp()
        with use_tenant(FIRST):
            self.assertContains(self.client.get("/"), f"{FIRST}: []")


@site
@own_site
class OwnSetUpTests(TenantTestCase):
    tenants = (FIRST,)

    def setUp(self):
        """Django's `TestCase` does not ask for `super().setUp()`."""

    def test_the_tenant_is_there(self):
        with use_tenant(FIRST):
            self.assertContains(self.client.get("/"), f"{FIRST}: []")


@override_settings(ALLOWED_HOSTS=[".localhost"])
@site
@own_site
class LiveServerTests(TenantLiveServerTestCase):
    tenants = (FIRST,)

    def ask(self) -> str:
        # Not every resolver knows the names below localhost. Browsers do.
        request = urllib.request.Request(self.live_server_url, headers={"Host": self.site_url.partition("//")[2]})  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.read().decode()

    def test_a_live_server_has_each_tenants_site(self):
        with use_tenant(FIRST):
            DataPoint.objects.create(name="cake", value=1)
            self.assertEqual(self.ask(), f"{FIRST}: ['cake']")
        self.assertIn("central: localhost", self.ask())


class UnknownTenantTests(SimpleTestCase):
    def test_a_tenant_that_tests_do_not_have_is_named(self):
        class Tests(TenantTestCase):
            tenants = ("unheard-of",)

        with self.assertRaisesMessage(ImproperlyConfigured, "add it to TEST_TENANTS in databases.py"):
            Tests.setUpClass()
