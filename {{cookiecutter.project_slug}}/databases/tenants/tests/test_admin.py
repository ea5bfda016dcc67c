"""The admin of tenants' rows: each tenant's host shows that tenant's rows, and the central host shows none."""

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client, TestCase

from databases.tenants import use_tenant
from databases.tenants.tests.points.models import DataPoint, Series
from databases.tenants.tests.site import make_superuser, own_site
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    SECOND,
    add_a_point_each,
    marker,
    register_both,
)

LIST = "/admin/layer_points/datapoint/"
ADD_PAGE = f"{LIST}add/"
CHANGE_PAGE = f"{LIST}1000/change/"
DELETE_PAGE = f"{LIST}1000/delete/"
HISTORY = f"{LIST}1000/history/"
INDEX = "/admin/"
VALUES = {"name": "pie", "value": "2", "measured_0": "2026-01-05", "measured_1": "09:00:00"}


@own_site
class AdminTests(TestCase):
    databases = DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()
        self.user = make_superuser()

    def at(self, slug: str) -> Client:
        """Return a client that is logged in at a tenant's host."""
        client = Client(headers={"host": f"{slug}.testserver"})
        with use_tenant(slug):
            client.force_login(self.user)
        return client

    def test_a_list_shows_the_rows_of_the_hosts_tenant(self):
        for slug, own, other in ((FIRST, "cake", "orbit"), (SECOND, "orbit", "cake")):
            for query in ({}, {"q": "a"}, {"q": "o"}):
                page = self.at(slug).get(LIST, query).content.decode()
                self.assertNotIn(f">{other}<", page)
            self.assertIn(f">{own}<", self.at(slug).get(LIST).content.decode())

    def test_changes_and_deletions_affect_the_hosts_tenant_only(self):
        self.assertEqual(self.at(FIRST).post(CHANGE_PAGE, VALUES).status_code, 302)
        self.at(SECOND).post(DELETE_PAGE, {"post": "yes"})
        with use_tenant(FIRST):
            self.assertEqual(marker(), "pie")
        with use_tenant(SECOND):
            self.assertFalse(DataPoint.objects.filter(pk=1000).exists())
        self.assertEqual(LogEntry.objects.count(), 2)

    def test_history_is_shown_at_its_tenants_host_only(self):
        self.at(FIRST).post(CHANGE_PAGE, VALUES)
        self.assertContains(self.at(FIRST).get(HISTORY), "Changed Name")
        self.assertNotContains(self.at(SECOND).get(HISTORY), "Changed")

    def test_history_holds_no_entries_of_another_model(self):
        for model in (Series, ContentType):
            LogEntry.objects.create(
                user=self.user,
                content_type=ContentType.objects.get_for_model(model),
                object_id=f"{FIRST}/1000",
                object_repr="another",
                action_flag=CHANGE,
                change_message="of another model",
            )
        self.assertNotContains(self.at(FIRST).get(HISTORY), "of another model")

    def test_recent_actions_are_shown_on_the_central_host_only(self):
        self.at(FIRST).post(CHANGE_PAGE, VALUES)
        central = Client()
        central.force_login(self.user)
        self.assertContains(central.get(INDEX), "Recent actions")
        for page in (self.at(FIRST).get(INDEX), self.at(SECOND).get(INDEX)):
            self.assertContains(page, "Data points")
            self.assertNotContains(page, "Recent actions")

    def test_the_primary_logs_only_keys_of_tenants_rows(self):
        at = self.at(FIRST)
        at.post(CHANGE_PAGE, VALUES)
        at.post(ADD_PAGE, VALUES)
        with use_tenant(FIRST):
            new = DataPoint.objects.filter(name="pie").exclude(pk=1000).get().pk
        at.post(LIST, {"action": "delete_selected", "_selected_action": [1000, new], "post": "yes"})
        with use_tenant(FIRST):
            self.assertFalse(DataPoint.objects.filter(name="pie").exists())
        # A row of the same key.
        with use_tenant(SECOND):
            self.assertEqual(marker(), "orbit")
        noted = LogEntry.objects.values_list("action_flag", "object_id", "object_repr")
        first, second = f"{FIRST}/1000", f"{FIRST}/{new}"
        expected = [(CHANGE, first), (ADDITION, second), (DELETION, first), (DELETION, second)]
        self.assertCountEqual(noted, [(flag, key, key) for flag, key in expected])

    def test_log_entries_without_a_tenant_are_shown_nowhere(self):
        LogEntry.objects.create(
            user=self.user,
            content_type=ContentType.objects.get_for_model(DataPoint),
            object_id="1000",
            object_repr="cake",
            action_flag=CHANGE,
            change_message="of long ago",
        )
        for slug in (FIRST, SECOND):
            self.assertNotContains(self.at(slug).get(HISTORY), "of long ago")

    def test_the_central_host_answers_404(self):
        client = Client()
        client.force_login(self.user)
        self.assertEqual(client.get(INDEX).status_code, 200)
        for page in (LIST, CHANGE_PAGE):
            self.assertEqual(client.get(page).status_code, 404)
        with self.assertLogs("databases.tenants.middleware", "WARNING"):
            self.assertEqual(client.post(CHANGE_PAGE, VALUES).status_code, 404)
