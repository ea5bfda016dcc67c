"""Querysets in async code, built at import, and of a database that they name. `test_unmixable` has the others."""

from django.test import TestCase

from databases.tenants import CrossTenantError, use_tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS, SECOND, add_a_point_each

ALL = "SELECT * FROM layer_points_datapoint WHERE id = 1000"

#: As the class body of a view or a form would hold it.
BUILT_AT_IMPORT = DataPoint.objects.filter(pk=1000)


class QuerysetTests(TestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()

    async def test_a_queryset_is_refused_under_another_tenant_in_async_code(self):
        with use_tenant(FIRST):
            rows = DataPoint.objects.filter(pk=1000)
        with use_tenant(SECOND):
            with self.assertRaises(CrossTenantError):
                [row async for row in rows]
            with self.assertRaises(CrossTenantError):
                await rows.acount()
        with use_tenant(FIRST):
            self.assertEqual([row.name async for row in rows], ["cake"])

    def test_a_queryset_built_without_a_tenant_can_be_copied_into_each(self):
        for slug, name in ((FIRST, "cake"), (SECOND, "orbit")):
            with use_tenant(slug):
                self.assertEqual([row.name for row in BUILT_AT_IMPORT.all()], [name])
                self.assertEqual(BUILT_AT_IMPORT.get().name, name)
                self.assertEqual(DataPoint.objects.get(pk__in=BUILT_AT_IMPORT.values("pk")).name, name)

    def test_a_queryset_built_without_a_tenant_caches_no_rows(self):
        with use_tenant(FIRST), self.assertRaisesMessage(CrossTenantError, "made inside the tenant with all()"):
            list(BUILT_AT_IMPORT)

    def test_a_database_named_by_using_needs_no_tenant(self):
        named = DataPoint.objects.using(FIRST_ALIAS)
        for rows in (named.filter(pk=1000), named.raw(ALL), DataPoint.objects.raw(ALL, using=FIRST_ALIAS)):
            with use_tenant(SECOND):
                self.assertEqual([row.name for row in rows], ["cake"])
        for rows in (named.filter(pk=1000), named.raw(ALL), DataPoint.objects.raw(ALL, using=FIRST_ALIAS)):
            self.assertEqual([row.name for row in rows], ["cake"])

    def test_a_queryset_may_name_its_database_later(self):
        with use_tenant(SECOND):
            rows = DataPoint.objects.filter(pk=1000)
        self.assertEqual([row.name for row in rows.using(FIRST_ALIAS)], ["cake"])
