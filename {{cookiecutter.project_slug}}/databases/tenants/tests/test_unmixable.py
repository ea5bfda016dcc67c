"""What belongs to one tenant, used under another one: refused, or without effect there, or listed in the README."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import django
from django.db import models, transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Value,
    When,
    prefetch_related_objects,
)
from django.test import TestCase

from databases.tenants import CrossTenantError, NoTenantError, use_tenant
from databases.tenants.tests.points.models import DataPoint, Series
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS, SECOND, SECOND_ALIAS

Through = Series.points.through


class Theirs:
    """Objects and querysets of the first tenant, made anew for each probe. Both tenants have rows with equal keys."""

    def __init__(self) -> None:
        with use_tenant(FIRST):
            self.point = DataPoint.objects.get(pk=1)
            self.deferred = DataPoint.objects.only("pk").get(pk=1)
            self.series = Series.objects.get(pk=1)
            self.other_point = DataPoint.objects.get(pk=2)
            self.other_series = Series.objects.get(pk=2)
            self.link = Through.objects.get()
            self.rows = DataPoint.objects.all()
            self.keys = DataPoint.objects.values("pk")
            self.prefetch = Prefetch("points", DataPoint.objects.filter(pk=1))
            self.raw = DataPoint.objects.raw("SELECT * FROM layer_points_datapoint")
            self.base = DataPoint._base_manager.all()
            self.manager = self.series.points
            self.reverse = self.point.best_of
            self.evaluated = DataPoint.objects.all()
            list(self.evaluated)
            self.pickled = pickle.dumps(self.point)
            self.query = pickle.dumps(DataPoint.objects.all().query)


def unpickled_query(theirs: Theirs) -> Any:
    rows = DataPoint.objects.all()
    rows.query = pickle.loads(theirs.query)  # noqa: S301
    return list(rows)


def next_of_an_iterator(theirs: Theirs) -> Any:
    with use_tenant(FIRST, switch=True):
        points = DataPoint.objects.iterator()
        next(points)
    next(points)
    # If the garbage collector closed it, in the midst of another statement, psycopg would wait for itself.
    points.close()


def set_and_save(theirs: Theirs) -> Any:
    series = Series.objects.get(pk=1)
    series.best = theirs.point
    series.save()


#: Raise an error, and change nothing.
REFUSED: dict[str, Callable[[Theirs], Any]] = {
    "save": lambda t: t.point.save(),
    "save one field": lambda t: t.point.save(update_fields=["name"]),
    "delete": lambda t: t.point.delete(),
    "refresh": lambda t: t.point.refresh_from_db(),
    "refresh from a queryset": lambda t: t.point.refresh_from_db(from_queryset=DataPoint.objects.all()),
    "validate": lambda t: t.point.full_clean(),
    "deferred field": lambda t: t.deferred.name,
    "unpickled object, saved": lambda t: pickle.loads(t.pickled).save(),  # noqa: S301
    "copied object, saved": lambda t: copy.copy(t.point).save(),
    "bulk_create": lambda t: DataPoint.objects.bulk_create([t.point], ignore_conflicts=True),
    "bulk_update": lambda t: DataPoint.objects.bulk_update([t.point], ["value"]),
    "contains": lambda t: DataPoint.objects.contains(t.point),
    "foreign key, followed": lambda t: t.series.best,
    "foreign key, reverse": lambda t: list(t.point.best_of.all()),
    "foreign key, reverse manager kept": lambda t: list(t.reverse.all()),
    "foreign key, assigned": set_and_save,
    "foreign key, in the constructor": lambda t: Series(best=t.point),
    "foreign key, create": lambda t: Series.objects.create(best=t.point),
    "foreign key, get_or_create": lambda t: Series.objects.get_or_create(best=t.point),
    "foreign key, update": lambda t: Series.objects.update(best=t.point),
    "foreign key, reverse add": lambda t: DataPoint.objects.get(pk=1).best_of.add(t.series),
    "foreign key, reverse add of unsaved": lambda t: DataPoint.objects.get(pk=1).best_of.add(t.series, bulk=False),
    "foreign key, reverse set": lambda t: DataPoint.objects.get(pk=1).best_of.set([t.other_series]),
    "foreign key, reverse create": lambda t: t.point.best_of.create(),
    "many to many, read": lambda t: list(t.series.points.all()),
    "many to many, manager kept": lambda t: list(t.manager.all()),
    "many to many, reverse": lambda t: list(t.point.series.all()),
    "many to many, add": lambda t: Series.objects.get(pk=1).points.add(t.point),
    "many to many, add to theirs": lambda t: t.series.points.add(DataPoint.objects.get(pk=1)),
    "many to many, set": lambda t: Series.objects.get(pk=1).points.set([t.other_point]),
    "many to many, clear": lambda t: t.series.points.clear(),
    "many to many, create": lambda t: t.series.points.create(name="new", value=1),
    "many to many, row saved": lambda t: t.link.save(),
    "many to many, row deleted": lambda t: t.link.delete(),
    "many to many, row refreshed": lambda t: t.link.refresh_from_db(),
    "many to many, row followed": lambda t: t.link.datapoint,
    "filter by an object": lambda t: list(Series.objects.filter(best=t.point)),
    "filter by objects": lambda t: list(Series.objects.filter(best__in=[t.point])),
    "filter by an object of many": lambda t: list(Series.objects.filter(points=t.point)),
    "exclude an object": lambda t: list(Series.objects.exclude(best=t.point)),
    "Q of an object": lambda t: list(Series.objects.filter(Q(best=t.point) | Q(name="x"))),
    "When of an object": lambda t: list(Series.objects.annotate(x=Case(When(best=t.point, then=1), default=0))),
    "filter by a queryset": lambda t: list(DataPoint.objects.filter(pk__in=t.keys)),
    "filter a relation by a queryset": lambda t: list(Series.objects.filter(best__in=t.rows)),
    "Subquery": lambda t: list(DataPoint.objects.annotate(x=Subquery(t.rows.values("name")[:1]))),
    "Exists": lambda t: list(DataPoint.objects.filter(Exists(t.rows.filter(pk=OuterRef("pk"))))),
    "update by a Subquery": lambda t: DataPoint.objects.update(name=Subquery(t.rows.values("name")[:1])),
    "union": lambda t: list(DataPoint.objects.union(t.rows)),
    "union with ours": lambda t: list(t.rows.union(DataPoint.objects.all())),
    "intersection": lambda t: list(DataPoint.objects.intersection(t.rows)),
    "difference": lambda t: list(DataPoint.objects.difference(t.rows)),
    "or": lambda t: list(DataPoint.objects.all() | t.rows),
    "and": lambda t: list(DataPoint.objects.all() & t.rows),
    "xor": lambda t: list(DataPoint.objects.all() ^ t.rows),
    "queryset": lambda t: list(t.rows),
    "queryset, filtered further": lambda t: list(t.rows.filter(pk=1)),
    "queryset, copied": lambda t: list(copy.deepcopy(t.rows)),
    "queryset, iterated": lambda t: next(t.rows.iterator()),
    "queryset, counted": lambda t: t.rows.count(),
    "queryset, get": lambda t: t.rows.get(pk=1),
    "queryset, exists": lambda t: t.rows.exists(),
    "queryset, values": lambda t: list(t.rows.values("name")),
    "queryset, pickled": lambda t: pickle.dumps(t.rows),
    "queryset, aggregated": lambda t: t.rows.aggregate(Count("pk")),
    "queryset, updated": lambda t: t.rows.update(name="x"),
    "queryset, updated by an expression": lambda t: t.rows.update(value=F("value") + Value(1)),
    "queryset, deleted": lambda t: t.rows.delete(),
    "queryset, explained": lambda t: t.rows.explain(),
    "queryset, in_bulk": lambda t: t.rows.in_bulk([1]),
    "queryset, create": lambda t: t.rows.create(name="x", value=1),
    "queryset, get_or_create": lambda t: t.rows.get_or_create(name="x", value=1),
    "queryset, raw": lambda t: list(t.rows.raw("SELECT * FROM layer_points_datapoint")),
    "raw": lambda t: list(t.raw),
    "prefetch": lambda t: list(Series.objects.prefetch_related(t.prefetch)),
    "prefetch on their objects": lambda t: prefetch_related_objects([t.series], "points"),
    "prefetch forward on their objects": lambda t: prefetch_related_objects([t.series], "best"),
    "pickled query": unpickled_query,
}
#: Answer from the database of the tenant that is current, as if they were made there.
OURS: dict[str, Callable[[Theirs], Any]] = {
    "queryset of _base_manager": lambda t: list(t.base),
    "annotation by a relation": lambda t: list(DataPoint.objects.annotate(n=Count("best_of"))),
}
#: Nothing in Django asks anybody. The README lists these.
ACCEPTED: dict[str, Callable[[Theirs], Any]] = {
    "attributes that were loaded": lambda t: t.point.name,
    "an evaluated queryset": lambda t: list(t.evaluated),
    "an iterator that has begun elsewhere": next_of_an_iterator,
    "remove() of a many to many, which takes keys": lambda t: Series.objects.get(pk=1).points.remove(t.point),
    "a key": lambda t: DataPoint.objects.get(pk=t.point.pk),
    "equality, which compares keys": lambda t: t.point == DataPoint.objects.get(pk=1) or 1 / 0,
    "a database that is named": lambda t: DataPoint.objects.using(FIRST_ALIAS).get(pk=1),
    "saving into a database that is named": lambda t: t.point.save(using=SECOND_ALIAS),
    "bulk_create in a database that is named": lambda t: DataPoint.objects.using(SECOND_ALIAS).bulk_create(
        [t.point], ignore_conflicts=True
    ),
}


def add_rows(name: str) -> None:
    point = DataPoint.objects.create(pk=1, name=name, value=1)
    Series.objects.create(pk=1, name=name, best=point).points.add(point)


class UnmixableTests(TestCase):
    databases = DATABASES

    def setUp(self):
        for slug, name in ((FIRST, "cake"), (SECOND, "orbit")):
            with use_tenant(slug):
                add_rows(name)
        with use_tenant(FIRST):
            # Keys that the other tenant does not have: Django takes objects with equal keys for the same.
            Series.objects.create(pk=2, best=DataPoint.objects.create(pk=2, name="pie", value=1))

    def rows(self) -> list[Any]:
        """Return everything that the second tenant has."""
        with use_tenant(SECOND):
            return [
                *DataPoint.objects.values_list("pk", "name", "value"),
                *Series.objects.values_list("pk", "name", "best", "points"),
            ]

    def test_what_belongs_to_another_tenant_is_refused(self):
        before = self.rows()
        for name, use in REFUSED.items():
            theirs = Theirs()
            # Django itself refuses some of these, by ValueError.
            refused = self.assertRaises((CrossTenantError, ValueError))
            with self.subTest(name), use_tenant(SECOND), refused, transaction.atomic(using=SECOND_ALIAS):
                use(theirs)
            with self.subTest(name, then="unchanged"):
                self.assertEqual(self.rows(), before)

    def test_the_same_is_refused_without_a_tenant(self):
        for name, use in REFUSED.items():
            theirs = Theirs()
            with self.subTest(name), self.assertRaises((NoTenantError, CrossTenantError)):
                use(theirs)

    def test_the_same_is_accepted_under_its_own_tenant(self):
        # The negative control: the refusals are due to the tenant.
        for name, use in REFUSED.items():
            with self.subTest(name), use_tenant(FIRST):
                theirs = Theirs()
                try:
                    with transaction.atomic(using=FIRST_ALIAS):
                        use(theirs)
                except CrossTenantError as error:
                    self.fail(f"{name}: {error}")
                except Exception as error:
                    # Rows that are unique exist already, for example.
                    self.assertNotIsInstance(error, LookupError)
            with use_tenant(FIRST):
                Series.objects.all().delete()
                DataPoint.objects.all().delete()
                add_rows("cake")
                Series.objects.create(pk=2, best=DataPoint.objects.create(pk=2, name="pie", value=1))

    def test_what_nobody_is_asked_about_shows_no_other_tenants_rows(self):
        for name, use in OURS.items():
            theirs = Theirs()
            with self.subTest(name), use_tenant(SECOND):
                self.assertEqual({row.name for row in use(theirs)}, {"orbit"})

    def test_what_cannot_be_refused_is_in_the_readme(self):
        for name, use in ACCEPTED.items():
            theirs = Theirs()
            with self.subTest(name), use_tenant(SECOND):
                use(theirs)

    def test_raw_querysets_prefetch(self):
        with use_tenant(FIRST):
            rows = Series.objects.raw("SELECT * FROM layer_points_series WHERE id = 1").prefetch_related("points")
            self.assertEqual([[point.name for point in each.points.all()] for each in rows], [["cake"]])
        with use_tenant(SECOND), self.assertRaises(CrossTenantError):
            list(rows.prefetch_related("best"))

    def test_a_queryset_without_a_tenant_holds_nothing_of_one(self):
        # Its copy in another tenant would find the rows with the same keys.
        theirs = Theirs()
        without = DataPoint.objects.all()
        with self.assertRaises(CrossTenantError):
            Series.objects.filter(best=theirs.point)
        with self.assertRaises(CrossTenantError):
            without | theirs.rows
        with use_tenant(FIRST):
            self.assertEqual((without.all() | theirs.rows).count(), 2)

    def test_querysets_can_be_made_and_used_in_a_block_each(self):
        with use_tenant(FIRST):
            keys = DataPoint.objects.values("pk")
            self.assertEqual(Series.objects.filter(best__in=keys).count(), 2)
            self.assertEqual(DataPoint.objects.filter(Exists(Series.objects.filter(best=OuterRef("pk")))).count(), 2)
            self.assertEqual((DataPoint.objects.filter(pk=1) | DataPoint.objects.filter(pk=2)).count(), 2)
            self.assertEqual(DataPoint.objects.union(DataPoint.objects.filter(pk=1)).count(), 2)
            self.assertEqual((DataPoint.objects.filter(pk=1) | DataPoint._base_manager.filter(pk=2)).count(), 2)
            self.assertTrue(DataPoint.objects.contains(DataPoint.objects.get(pk=1)))
            DataPoint.objects.bulk_create(DataPoint(pk=pk, name="tart", value=1) for pk in (7, 8, 9))
            self.assertEqual(DataPoint.objects.filter(name="tart").count(), 3)
            with self.assertRaisesMessage(ValueError, "Must be"):
                Series.objects.filter(best=Series(pk=1))
            (series,) = (
                Series.objects.filter(pk=1)
                .prefetch_related(Prefetch("points", DataPoint.objects.all()))
                .select_related("best")
            )
            self.assertEqual([point.name for point in series.points.all()], ["cake"])

    if django.VERSION >= (6, 1):

        def test_peers_of_a_deferred_field_are_read_from_their_own_tenant(self):
            with use_tenant(FIRST):
                points = list(DataPoint.objects.fetch_mode(models.FETCH_PEERS).only("pk"))
                series = list(Series.objects.fetch_mode(models.FETCH_PEERS))
            with use_tenant(SECOND):
                # Django names the database of the objects here, and asks no router.
                self.assertEqual(points[0].name, "cake")
                with self.assertRaises(CrossTenantError):
                    series[0].best  # noqa: B018
