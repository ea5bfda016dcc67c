"""No leak between tenants: an object is used only under the tenant that it was loaded from."""

from django.db import models
from django.test import TestCase
from django.test.utils import isolate_apps

from databases import atomic_for
from databases.tenants import CrossTenantError, TenantModel, use_tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    FIRST_ALIAS,
    SECOND,
    SECOND_ALIAS,
    add_a_point_each,
    marker,
)


class ObjectTests(TestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()

    def test_an_object_is_refused_under_another_tenant_and_under_none(self):
        uses = {
            "save": lambda point: point.save(),
            "delete": lambda point: point.delete(),
            "refresh": lambda point: point.refresh_from_db(),
            "refresh from rows": lambda point: point.refresh_from_db(from_queryset=DataPoint.objects.all()),
            "deferred field": lambda point: point.name,
            "full_clean": lambda point: point.full_clean(),
            "bulk_create": lambda point: DataPoint.objects.bulk_create([point], ignore_conflicts=True),
            "bulk_update": lambda point: DataPoint.objects.bulk_update([point], ["value"]),
        }
        for name, use in uses.items():
            with use_tenant(FIRST):
                # Deferred for one use only: loading the field would be refused before the other uses are tried.
                rows = DataPoint.objects.defer("name") if name == "deferred field" else DataPoint.objects.all()
                point = rows.get(pk=1000)
            with self.subTest(name, under="another"), use_tenant(SECOND), self.assertRaises(CrossTenantError):
                use(point)
            with self.subTest(name, under="none"), self.assertRaises((CrossTenantError, LookupError)):
                use(point)
            with use_tenant(SECOND):
                self.assertEqual(marker(), "orbit")
            with self.subTest(name, under="its own"), use_tenant(FIRST), atomic_for(DataPoint):
                use(point)
                DataPoint.objects.update_or_create(pk=1000, defaults={"name": "cake", "value": 1})

    def test_save_with_using_copies_an_object_on_purpose(self):
        with use_tenant(FIRST):
            point = DataPoint.objects.get(pk=1000)
        point.save(using=SECOND_ALIAS)
        with use_tenant(SECOND):
            self.assertEqual(marker(), "cake")

    @isolate_apps("databases.tenants.tests.points")
    def test_a_relation_is_followed_under_its_own_tenant_only(self):
        class Station(TenantModel):
            class Meta:
                app_label = "layer_points"

        class Reading(TenantModel):
            station = models.ForeignKey(Station, models.CASCADE, related_name="readings")
            point = models.ForeignKey(DataPoint, models.CASCADE, related_name="+")

            class Meta:
                app_label = "layer_points"

        station, reading = Station(pk=1), Reading(pk=1, station_id=1, point_id=1000)
        station._state.db = reading._state.db = FIRST_ALIAS
        with use_tenant(FIRST):
            self.assertEqual(station.readings.all().db, FIRST_ALIAS)
            self.assertEqual(reading.point.name, "cake")
            Reading(station=station)
        reading._state.fields_cache.clear()
        uses = {
            "forward": lambda: reading.point,
            "reverse": lambda: list(station.readings.all()),
            "add": lambda: station.readings.create(point_id=1000),
            "prefetch forward": lambda: models.prefetch_related_objects([reading], "point"),
            "prefetch reverse": lambda: models.prefetch_related_objects([station], "readings"),
            "assign": lambda: Reading(station=station),
        }
        for name, use in uses.items():
            with self.subTest(name), use_tenant(SECOND), self.assertRaises(CrossTenantError):
                use()
        theirs = Station(pk=1)
        theirs._state.db = SECOND_ALIAS
        with use_tenant(FIRST), self.assertRaisesMessage(ValueError, "prevents this relation"):
            reading.station = theirs
