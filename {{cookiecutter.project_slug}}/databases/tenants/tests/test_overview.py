"""The tenants on the databases page, without a connection to any of them."""

from __future__ import annotations

from unittest import mock

from django.db import OperationalError, connections
from django.template.loader import render_to_string
from django.test import RequestFactory, TestCase

from databases.report import Report
from databases.tenants import overview
from databases.tenants.models import Tenant


class OverviewTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        Tenant.objects.all().delete()
        active = Tenant.Status.ACTIVE
        rows = [Tenant(slug=f"t{n}", host=f"site-{n}", database=f"t{n}", status=active) for n in range(120)]
        Tenant.objects.bulk_create(rows)
        Tenant.objects.filter(slug="t7").update(status=Tenant.Status.PENDING)

    def section(self, **words: str) -> str:
        return overview.section(RequestFactory().get("/databases/", words))

    def test_a_server_is_one_box_however_many_tenants_it_has(self):
        with self.assertNumQueries(1):
            (box,) = [box for box in overview.boxes_of_servers() if box.name == "tenants on default"]
        self.assertEqual((box.facts[0], box.problems), ("119 active, 1 pending", []))
        self.assertRegex(overview.boxes_of_servers()[0].facts[1], r"^\d+ of \d+ connections of this process$")

    def test_a_server_that_is_not_known_is_a_problem(self):
        Tenant.objects.filter(slug="t8").update(server="gone")
        Tenant.objects.filter(slug="t9").update(server="")
        boxes = {box.name: box for box in overview.boxes_of_servers()}
        self.assertIn("TENANT_SERVERS", boxes["tenants on gone"].problems[0])
        self.assertEqual(boxes["tenants with URLs"].problems, [])
        Tenant.objects.all().delete()
        with mock.patch.object(overview, "is_foreign", return_value=True):
            box = overview.boxes_of_servers()[0]
        self.assertEqual((box.facts[0], box.writer), ("none yet", "another application"))

    def test_the_list_has_pages(self):
        with self.assertNumQueries(2):
            first = self.section()
        self.assertEqual(first.count("<tr>"), 1 + overview.PAGE_SIZE)
        self.assertIn("120 found, page 1 of 3", first)
        self.assertIn("page=2", first)
        self.assertIn("page 3 of 3", self.section(page="9999"))

    def test_tenants_are_found_by_slug_and_host(self):
        self.assertIn("1 found", self.section(q=" t119 "))
        found = self.section(q="SITE-119")
        self.assertIn("1 found", found)
        self.assertIn('value="SITE-119"', found)
        self.assertIn("No tenant.", self.section(q="<script>"))
        self.assertNotIn("<script>", self.section(q="<script>"))

    def test_a_chosen_tenant_is_asked_and_no_other(self):
        report = Report("tenant_t5", "tenant", facts=["a fact to find"])
        with mock.patch.object(overview, "report_on", return_value=report) as asked:
            self.assertIn("a fact to find", self.section(tenant="t5"))
            asked.assert_called_once_with("tenant_t5")
            self.section(tenant="t999")
            asked.assert_called_once()
            self.assertIn("What to do: make its database ready first", self.section(tenant="t7"))

    def test_a_registry_that_is_down_leaves_the_page(self):
        down = mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("at db.example.com"))
        with down:
            (box,) = overview.boxes_of_servers()
            self.assertEqual(self.section(), "")
        self.assertEqual(box.problems, ["the registry cannot be read (OperationalError)"])
        self.assertNotIn("example", render_to_string("databases/picture.svg", {"boxes": [box]}))
