"""Differences between a model and its table are errors, information, or no findings."""

from __future__ import annotations

from django.db import models
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.mirror import MirrorModel
from databases.mirror.drift import Finding, compare
from databases.mirror.introspection import Column, Table
from databases.mirror.tests.people.models import Member


def model_of(**fields: models.Field) -> type[models.Model]:
    """Return a mirrored model that is in no app registry."""
    meta = type("Meta", (), {"app_label": "layer_people", "db_table": "drift_thing"})
    with isolate_apps("databases.mirror.tests.people"):
        return type("Thing", (MirrorModel,), {"__module__": __name__, "Meta": meta, **fields})


def kinds(findings: list[Finding]) -> list[str]:
    return [each.kind for each in findings]


char, text, integer = models.CharField, models.TextField, models.IntegerField
#: A field of the model, the column upstream, the engine, and the kinds of findings.
COMPARED: dict[str, tuple[models.Field, Column, str, list[str]]] = {
    "the same": (char(max_length=9), Column("x", "CharField", {"max_length": 9}), "postgresql", []),
    "another length": (char(max_length=9), Column("x", "CharField", {"max_length": 8}), "postgresql", ["arguments"]),
    "a length that is gone": (char(max_length=9), Column("x", "TextField"), "postgresql", ["arguments"]),
    "a subclass of a text": (models.EmailField(), Column("x", "TextField"), "postgresql", []),
    "a wider integer": (integer(), Column("x", "BigIntegerField"), "postgresql", []),
    "an integer that is a text": (integer(), Column("x", "CharField", {"max_length": 9}), "sqlite", ["type"]),
    "a text that is an integer": (text(), Column("x", "IntegerField"), "sqlite", ["type"]),
    "a date that has a time": (models.DateField(), Column("x", "DateTimeField"), "mysql", ["type"]),
    "a decimal that is a float": (models.FloatField(), Column("x", "DecimalField"), "mysql", ["type"]),
    "a UUID in a text": (models.UUIDField(), Column("x", "CharField", {"max_length": 32}), "mysql", []),
    "a UUID in a text on an engine with native UUIDs": (
        models.UUIDField(),
        Column("x", "CharField"),
        "postgresql",
        ["type"],
    ),
    "JSON in a text": (models.JSONField(), Column("x", "TextField"), "sqlite", []),
    "a truth value in a number": (models.BooleanField(), Column("x", "IntegerField"), "mysql", []),
    "a duration in a number": (models.DurationField(), Column("x", "BigIntegerField"), "sqlite", []),
    "a relation and another kind of key": (
        models.ForeignKey(Member, on_delete=models.DO_NOTHING, db_column="x"),
        Column("x", "UUIDField"),
        "postgresql",
        ["type"],
    ),
    "NULL upstream": (integer(), Column("x", "IntegerField", null=True), "postgresql", ["null"]),
    "no NULL upstream": (integer(null=True), Column("x", "IntegerField"), "postgresql", ["not null"]),
    "a type that Django does not know": (text(), Column("x", unknown_type="tsvector"), "postgresql", ["unknown type"]),
}


class ComparisonTests(SimpleTestCase):
    def test_differences_that_break_reads_are_told_from_others(self):
        for name, (field, column, vendor, expected) in COMPARED.items():
            table = Table("drift_thing", {"id": Column("id", "BigAutoField"), "x": column})
            with self.subTest(name):
                self.assertEqual(kinds(list(compare(model_of(x=field), table, vendor))), expected)

    def test_missing_columns_and_tables_break_reads_extra_columns_do_not(self):
        table = Table("drift_thing", {"id": Column("id", "BigAutoField"), "y": Column("y", "TextField")})
        found = list(compare(model_of(x=integer()), table, "sqlite"))
        self.assertEqual(
            [(each.kind, each.is_error) for each in found], [("missing column", True), ("extra column", False)]
        )
        (missing,) = compare(model_of(), None, "sqlite")
        self.assertTrue(missing.is_error)
        self.assertEqual(str(missing), "the table 'drift_thing' is missing upstream")
