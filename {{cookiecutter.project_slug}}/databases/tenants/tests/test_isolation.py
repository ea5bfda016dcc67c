"""No leak between tenants: a queryset is evaluated only under the tenant that it was built under."""

import pickle

from django.db import models
from django.test import TestCase

from databases.tenants import CrossTenantError, use_tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS, SECOND, add_a_point_each

#: As the class body of a view or a form would hold it.
BUILT_AT_IMPORT = DataPoint.objects.filter(pk=1000)


class QuerysetTests(TestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()

    def refused(self):
        return self.assertRaisesMessage(CrossTenantError, f"A queryset built under the tenant {FIRST!r} was")

    def test_a_queryset_is_refused_under_another_tenant_and_under_none(self):
        evaluations = {
            "iterate": list,
            "iterator": lambda rows: list(rows.iterator()),
            "count": lambda rows: rows.count(),
            "exists": lambda rows: rows.exists(),
            "get": lambda rows: rows.get(pk=1000),
            "first": lambda rows: rows.first(),
            "index": lambda rows: rows[0],
            "slice": lambda rows: list(rows[:1]),
            "values": lambda rows: list(rows.values("name")),
            "values_list": lambda rows: list(rows.values_list("name", flat=True)),
            "aggregate": lambda rows: rows.aggregate(models.Sum("value")),
            "in_bulk": lambda rows: rows.in_bulk([1000]),
            "filtered further": lambda rows: list(rows.filter(value=1)),
            "union": lambda rows: list(rows.union(rows)),
            "pickled": lambda rows: pickle.dumps(rows),
            "for update": lambda rows: list(rows.select_for_update()),
            "update": lambda rows: rows.update(value=1),
            "delete": lambda rows: rows.delete(),
        }
        for name, evaluate in evaluations.items():
            with use_tenant(FIRST):
                rows = DataPoint.objects.filter(pk=1000)
            with self.subTest(name, under="another"), use_tenant(SECOND), self.refused():
                evaluate(rows)
            with self.subTest(name, under="none"), self.refused():
                evaluate(rows)
            with self.subTest(name, under="its own"), use_tenant(FIRST):
                evaluate(rows)

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

    def test_a_raw_queryset_is_refused_under_another_tenant(self):
        with use_tenant(FIRST):
            rows = DataPoint.objects.raw("SELECT * FROM layer_points_datapoint WHERE id = 1000")
        with use_tenant(SECOND), self.assertRaises(CrossTenantError):
            list(rows)
        with use_tenant(FIRST):
            self.assertEqual([row.name for row in rows], ["cake"])

    def test_a_queryset_inside_a_filter_is_refused_under_another_tenant(self):
        with use_tenant(FIRST):
            keys = DataPoint.objects.filter(pk=1000).values("pk")
            self.assertEqual(DataPoint.objects.filter(pk__in=keys).count(), 1)
        with use_tenant(SECOND), self.assertRaises(CrossTenantError):
            DataPoint.objects.filter(pk__in=keys).count()

    def test_a_pickled_queryset_is_refused_under_another_tenant(self):
        with use_tenant(FIRST):
            rows = pickle.loads(pickle.dumps(DataPoint.objects.filter(pk=1000)))  # noqa: S301
            self.assertEqual(rows.count(), 1)
        with use_tenant(SECOND), self.assertRaises(CrossTenantError):
            rows.filter(value=1).count()

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
        rows = DataPoint.objects.using(FIRST_ALIAS).filter(pk=1000)
        with use_tenant(SECOND):
            self.assertEqual(rows.get().name, "cake")
        self.assertEqual(rows.get().name, "cake")
