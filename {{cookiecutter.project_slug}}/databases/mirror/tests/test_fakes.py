"""Replacements of secrets have the type of the column, fit its limits, and are unique where they must be."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.db import models
from django.db.models.functions import Lower
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.mirror.fakes import blank, fake


@isolate_apps("databases.tests.notebook")
def bound(field: models.Field, name: str = "thing", **options: Any) -> models.Field:
    """Return the field, bound to a model."""
    meta = type("Meta", (), {"app_label": "layer_notebook", **options})
    return type("Row", (models.Model,), {"__module__": __name__, "Meta": meta, name: field})._meta.get_field(name)


class FakeTests(SimpleTestCase):
    def test_a_blank_is_null_or_empty_or_fake_if_it_must_be_unique(self):
        char, moment = models.CharField, datetime.fromisoformat("2024-05-06T12:00:00+00:00")
        table: list[tuple[models.Field, Any, Any]] = [
            (char(max_length=9, null=True), "x", None),
            (char(max_length=9, null=True, unique=True), "x", None),
            (char(max_length=9), "x", ""),
            (char(max_length=9, unique=True), "x", "thing 17"),
            (char(max_length=3, unique=True), "x", "t17"),
            (char(max_length=2, unique=True), "x", "17"),
            (models.EmailField(unique=True), "a@b.cd", "user17@example.invalid"),
            (models.TextField(), "x", ""),
            (models.IntegerField(), 5, 0),
            (models.IntegerField(unique=True), 5, 17),
            (models.DecimalField(max_digits=5, decimal_places=2), Decimal("5.5"), Decimal(0)),
            (models.FloatField(), 5.5, 0.0),
            (models.DateField(), date(2024, 5, 6), date(2000, 1, 1)),
            (models.DateTimeField(), moment, datetime.fromisoformat("2000-01-01T00:00:00+00:00")),
            (models.DurationField(), timedelta(5), timedelta(0)),
            (models.UUIDField(), UUID(int=5), UUID(int=0)),
            (models.BinaryField(), memoryview(b"x"), b""),
            (models.BinaryField(unique=True), b"x", b"17"),
            (models.JSONField(), {"a": 1}, {}),
            (models.JSONField(), [1], []),
            (models.GenericIPAddressField(), "10.1.2.3", "198.18.0.17"),
            (models.FileField(), "a/b.txt", ""),
        ]
        for field, value, expected in table:
            with self.subTest(repr(field), value=value):
                self.assertEqual(blank(bound(field), value, 17), expected)

    def test_every_kind_of_uniqueness_counts(self):
        together = {"unique_together": [("thing", "id")]}
        by_name = {"constraints": [models.UniqueConstraint(fields=["thing", "id"], name="a")]}
        by_expression = {"constraints": [models.UniqueConstraint(Lower("thing"), name="a")]}
        for options in (together, by_name, by_expression):
            with self.subTest(options):
                field = bound(models.CharField(max_length=20), **options)
                self.assertEqual(blank(field, "x", 17), "thing 17")

    def test_a_fake_depends_on_the_key_differs_by_row_and_fits(self):
        fields: dict[str, tuple[models.Field, Any]] = {
            "text": (models.CharField(max_length=30), "x"),
            "short text": (models.CharField(max_length=3, unique=True), "x"),
            "e-mail": (models.EmailField(), "a@b.cd"),
            "short e-mail": (models.EmailField(max_length=8), "a@b.cd"),
            "slug": (models.SlugField(), "x"),
            "address": (models.URLField(), "https://example.com"),
            "IP": (models.GenericIPAddressField(), "::1"),
            "small number": (models.SmallIntegerField(), 4),
            "number": (models.BigIntegerField(), 4),
            "decimal": (models.DecimalField(max_digits=7, decimal_places=2), Decimal(4)),
            "date": (models.DateField(), date(2024, 5, 6)),
            "UUID": (models.UUIDField(), UUID(int=4)),
        }
        for name, (field, value) in fields.items():
            with self.subTest(name):
                found = [fake(bound(field), value, pk) for pk in (1, 2, 17, 3000)]
                self.assertEqual(len({*found, value}), 5)
                self.assertEqual(found, [fake(field, value, pk) for pk in (1, 2, 17, 3000)])
                if name != "short e-mail":
                    self.assertEqual([field.clean(each, None) for each in found], found)
        self.assertEqual(fake(bound(models.CharField(max_length=20)), "x", UUID(int=3))[:6], "thing ")
        self.assertIsNone(fake(bound(models.TextField(null=True)), None, 17))
        self.assertEqual(fake(bound(models.CharField(max_length=1, choices=[("a", "A"), ("b", "B")])), "a", 17), "b")

    def test_an_unknown_type_is_an_error_without_the_value(self):
        with self.assertRaisesMessage(
            CommandError, 'layer_notebook.row.thing cannot be blanked or faked. Set "layer_n'
        ):
            blank(bound(models.JSONField()), frozenset({"hidden"}), 17)
