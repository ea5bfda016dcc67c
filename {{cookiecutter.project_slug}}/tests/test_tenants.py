"""Each tenant sees its own rows. `TEST_TENANTS` in config/databases.py says which tenants tests have."""  # example

from databases.tenants import CrossTenantError, NoTenantError, use_tenant
from databases.tenants.testing import TenantTestCase
from projects.models import DataPoint

LABS, CAMPUS = "aperture-science-labs", "vavatch-corp-campus"


class TenantTests(TenantTestCase):
    tenants = (LABS, CAMPUS)

    def setUp(self):
        super().setUp()
        for slug, name in ((LABS, "cake"), (CAMPUS, "orbit")):
            with use_tenant(slug):
                DataPoint.objects.create(name=name, value=1)

    def test_a_query_finds_the_rows_of_the_current_tenant_only(self):
        with use_tenant(LABS):
            self.assertTrue(DataPoint.objects.filter(name="cake").exists())
            self.assertFalse(DataPoint.objects.filter(name="orbit").exists())

    def test_a_query_without_a_tenant_is_an_error(self):
        with self.assertRaises(NoTenantError):
            DataPoint.objects.count()

    def test_a_row_of_one_tenant_is_not_saved_under_another(self):
        with use_tenant(LABS):
            cake = DataPoint.objects.get(name="cake")
        with use_tenant(CAMPUS), self.assertRaises(CrossTenantError):
            cake.save()

    def test_the_client_asks_the_host_of_the_current_tenant(self):
        for slug, ours, theirs in ((LABS, "cake", "orbit"), (CAMPUS, "orbit", "cake")):
            with use_tenant(slug):
                response = self.client.get("/")
            self.assertContains(response, ours)
            self.assertNotContains(response, theirs)

    def test_a_page_of_tenants_is_not_found_on_the_central_host(self):
        with self.assertLogs("databases.tenants", "WARNING"):
            self.assertEqual(self.client.get("/data-points/").status_code, 404)
