"""The admin of tenants' rows: at each host those of its tenant, and none on the central host."""

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client, TestCase
from django.urls import reverse

from databases.tenants import use_tenant
from projects.models import DataPoint

from .two_tenants import ALL_DATABASES, APERTURE, VAVATCH, add_a_point_each, marker, register_both

LIST = reverse("admin:projects_datapoint_changelist")
CHANGE_PAGE = reverse("admin:projects_datapoint_change", args=[1000])
HISTORY = reverse("admin:projects_datapoint_history", args=[1000])
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
        self.assertEqual(self.at(APERTURE).post(CHANGE_PAGE, VALUES).status_code, 302)
        self.at(VAVATCH).post(reverse("admin:projects_datapoint_delete", args=[1000]), {"post": "yes"})
        with use_tenant(APERTURE):
            self.assertEqual(marker(), "pie")
        with use_tenant(VAVATCH):
            self.assertFalse(DataPoint.objects.filter(pk=1000).exists())
        self.assertEqual(LogEntry.objects.count(), 2)

    def test_what_was_done_to_a_row_is_told_at_its_tenants_host_alone(self):
        self.at(APERTURE).post(CHANGE_PAGE, VALUES)
        self.assertContains(self.at(APERTURE).get(HISTORY), "Changed Name")
        self.assertNotContains(self.at(VAVATCH).get(HISTORY), "Changed")

    def test_the_first_page_shows_no_tenant_what_its_user_did_at_another(self):
        self.at(APERTURE).post(CHANGE_PAGE, VALUES)
        index = reverse("admin:index")
        central = Client()
        central.force_login(self.user)
        self.assertContains(central.get(index), "Recent actions")
        for page in (self.at(APERTURE).get(index), self.at(VAVATCH).get(index)):
            self.assertContains(page, "Data points")
            self.assertNotContains(page, "Recent actions")

    def test_the_primary_learns_keys_and_nothing_else_of_rows_that_were_added_changed_or_deleted(self):
        at = self.at(APERTURE)
        at.post(CHANGE_PAGE, VALUES)
        at.post(reverse("admin:projects_datapoint_add"), VALUES)
        with use_tenant(APERTURE):
            new = DataPoint.objects.filter(name="pie").exclude(pk=1000).get().pk
        at.post(LIST, {"action": "delete_selected", "_selected_action": [1000, new], "post": "yes"})
        with use_tenant(APERTURE):
            self.assertFalse(DataPoint.objects.filter(name="pie").exists())
        noted = LogEntry.objects.values_list("action_flag", "object_id", "object_repr")
        first, second = f"{APERTURE}/1000", f"{APERTURE}/{new}"
        expected = [(CHANGE, first), (ADDITION, second), (DELETION, first), (DELETION, second)]
        self.assertCountEqual(noted, [(flag, key, key) for flag, key in expected])

    def test_what_was_noted_without_a_tenant_is_shown_to_none(self):
        LogEntry.objects.create(
            user=self.user,
            content_type=ContentType.objects.get_for_model(DataPoint),
            object_id="1000",
            object_repr="cake",
            action_flag=CHANGE,
            change_message="of long ago",
        )
        for slug in (APERTURE, VAVATCH):
            self.assertNotContains(self.at(slug).get(HISTORY), "of long ago")

    def test_on_the_central_host_there_are_none(self):
        client = Client()
        client.force_login(self.user)
        self.assertEqual(client.get(reverse("admin:index")).status_code, 200)
        for page in (LIST, CHANGE_PAGE):
            self.assertEqual(client.get(page).status_code, 404)
        with self.assertLogs("databases.tenants.middleware", "WARNING"):
            self.assertEqual(client.post(CHANGE_PAGE, VALUES).status_code, 404)
