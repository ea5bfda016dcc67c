"""The admin of tenants' rows: at each host those of its tenant, and none on the central host."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client, TestCase
from django.urls import reverse

from databases.tenants import use_tenant
from projects.models import DataPoint

from .two_tenants import ALL_DATABASES, APERTURE, VAVATCH, add_a_point_each, marker, register_both

LIST = reverse("admin:projects_datapoint_changelist")
CHANGE = reverse("admin:projects_datapoint_change", args=[1000])
VALUES = {"name": "pie", "value": "2", "measured_0": "2026-01-05", "measured_1": "09:00:00"}


class AdminTests(TestCase):
    databases = ALL_DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()
        self.user = User.objects.create_superuser("ann")

    def at(self, slug: str) -> Client:
        """Return a client that is logged in at a tenant's host."""
        client = Client(headers={"host": f"{slug}.testserver"})
        with use_tenant(slug):
            client.force_login(self.user)
        return client

    def test_a_list_shows_the_rows_of_the_tenant_whose_host_it_is(self):
        for slug, own, other in ((APERTURE, "cake", "orbit"), (VAVATCH, "orbit", "cake")):
            for query in ({}, {"q": "a"}, {"q": "o"}):
                page = self.at(slug).get(LIST, query).content.decode()
                self.assertNotIn(f">{other}<", page)
            self.assertIn(f">{own}<", self.at(slug).get(LIST).content.decode())

    def test_what_is_changed_or_deleted_there_is_the_tenants_own(self):
        self.assertEqual(self.at(APERTURE).post(CHANGE, VALUES).status_code, 302)
        self.at(VAVATCH).post(reverse("admin:projects_datapoint_delete", args=[1000]), {"post": "yes"})
        with use_tenant(APERTURE):
            self.assertEqual(marker(), "pie")
        with use_tenant(VAVATCH):
            self.assertFalse(DataPoint.objects.filter(pk=1000).exists())
        self.assertEqual(LogEntry.objects.count(), 2)

    def test_on_the_central_host_there_are_none(self):
        client = Client()
        client.force_login(self.user)
        self.assertEqual(client.get(reverse("admin:index")).status_code, 200)
        for page in (LIST, CHANGE):
            self.assertEqual(client.get(page).status_code, 404)
        with self.assertLogs("databases.tenants.middleware", "WARNING"):
            self.assertEqual(client.post(CHANGE, VALUES).status_code, 404)
