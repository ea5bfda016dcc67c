"""Each tenant sees its own rows. `TEST_TENANTS` in config/databases.py says which tenants tests have."""  # example

from django.test import TestCase

from databases.tenants import NoTenantError, use_tenant
from databases.tenants.models import Tenant
from projects.models import DataPoint

LABS, CAMPUS = "aperture-science-labs", "vavatch-corp-campus"


class TenantTests(TestCase):
    # "default" holds the registry of tenants, which requests ask.
    databases = {"default", f"tenant_{LABS}", f"tenant_{CAMPUS}"}

    def setUp(self):
        for slug, name in ((LABS, "cake"), (CAMPUS, "orbit")):
            Tenant.objects.create(slug=slug, database=f"tenant_{slug}", status=Tenant.Status.ACTIVE)
            with use_tenant(slug):
                DataPoint.objects.create(name=name, value=1)

    def test_a_query_finds_the_rows_of_the_current_tenant_only(self):
        with use_tenant(LABS):
            self.assertTrue(DataPoint.objects.filter(name="cake").exists())
            self.assertFalse(DataPoint.objects.filter(name="orbit").exists())

    def test_a_query_without_a_tenant_is_an_error(self):
        with self.assertRaises(NoTenantError):
            DataPoint.objects.count()

    def test_the_host_decides_whose_rows_a_page_shows(self):
        for slug, ours, theirs in ((LABS, "cake", "orbit"), (CAMPUS, "orbit", "cake")):
            response = self.client.get("/data-points/", headers={"host": f"{slug}.testserver"})
            self.assertContains(response, ours)
            self.assertNotContains(response, theirs)

    def test_a_page_of_tenants_is_not_found_on_the_central_host(self):
        with self.assertLogs("databases.tenants", "WARNING"):
            self.assertEqual(self.client.get("/data-points/").status_code, 404)
