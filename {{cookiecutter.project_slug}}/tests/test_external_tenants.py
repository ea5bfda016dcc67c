"""Tenants' databases of someone else: tests find the rows of `seeds/fixtures/tenant.json` in each."""  # example

from django.test import TestCase

from databases.tenants import use_tenant
from projects.models import DataPoint


class SeededTenantTests(TestCase):
    databases = {"tenant_aperture-science-labs", "tenant_vavatch-corp-campus"}

    def test_each_tenant_begins_with_the_seeded_rows(self):
        for alias in self.databases:
            with use_tenant(alias.removeprefix("tenant_")):
                names = set(DataPoint.objects.values_list("name", flat=True))
                self.assertEqual(names, {"temperature", "pressure", "humidity"})

    def test_rows_are_written_as_in_any_database(self):
        with use_tenant("aperture-science-labs"):
            DataPoint.objects.create(name="cake", value=1)
            self.assertEqual(DataPoint.objects.count(), 4)
        with use_tenant("vavatch-corp-campus"):
            self.assertEqual(DataPoint.objects.count(), 3)
