"""Differences between a model and a table that exists in no database are errors, or no more than information."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.foreign.columns import Column
from databases.foreign.drift import compare
from databases.foreign.fields import AsTextField, BitField, PlainJSONField, ZonelessDateTimeField
from databases.foreign.upstream import Table

char, text, integer, big = models.CharField, models.TextField, models.IntegerField, models.BigIntegerField


def model_of(unique_together: Any = (), table: str = "drift_thing", **fields: Any) -> type[models.Model]:
    """Return a model that is in no app registry."""
    names = {"app_label": "layer_drift", "db_table": table, "unique_together": unique_together}
    fields = {"id": models.BigAutoField(primary_key=True), **fields}
    with isolate_apps():
        return type("Thing", (models.Model,), {"__module__": __name__, "Meta": type("Meta", (), names), **fields})


def kinds(found: Iterable[tuple[str, str, str, str]]) -> list[str]:
    return [f"{level} {kind}" for level, _, kind, _ in found]


def ops(engine: str) -> Any:
    """Return what Django knows of an engine's numbers: SQLite's are all alike, MySQL has positive ones."""
    found = BaseDatabaseOperations(None)
    sizes = {"SmallInteger": 15, "Integer": 31, "BigInteger": 63}
    plain = {f"{name}Field": (-(2**bits), 2**bits - 1) for name, bits in sizes.items()}
    positive = {f"Positive{name}Field": (0, 2 ** (bits + 1) - 1) for name, bits in sizes.items()}
    if engine == "mysql":
        found.integer_field_ranges = {**found.integer_field_ranges, **plain, **positive}
    if engine == "sqlite":
        found.integer_field_ranges = dict.fromkeys(found.integer_field_ranges, (-(2**63), 2**63 - 1))
    return found


Other = model_of(table="drift_other")
decimal = functools.partial(models.DecimalField, decimal_places=2)
#: A field of the model, the class and arguments of the column's field, the engine, and what is found.
COMPARED: dict[str, tuple[models.Field, str, dict[str, Any], str, list[str]]] = {
    "the same": (char(max_length=9), "CharField", {"max_length": 9}, "postgresql", []),
    "another length": (char(max_length=9), "CharField", {"max_length": 8}, "postgresql", ["info limits"]),
    "a length that is gone": (char(max_length=9), "TextField", {}, "postgresql", ["info limits"]),
    "a length that was never said": (char(), "TextField", {}, "postgresql", []),
    "a text of any length": (text(), "CharField", {"max_length": 8}, "postgresql", []),
    "a subclass of a text": (models.EmailField(), "TextField", {}, "postgresql", ["info limits"]),
    "another precision": (decimal(max_digits=9), "DecimalField", {"max_digits": 8}, "mysql", ["info limits"]),
    "a wider number": (integer(), "BigIntegerField", {}, "postgresql", ["error range"]),
    "a wider number in a positive field": (
        *(models.PositiveIntegerField(), "BigIntegerField", {}, "postgresql", ["error range"]),
    ),
    "a narrower number": (big(), "IntegerField", {}, "postgresql", []),
    "a number in a positive field": (models.PositiveIntegerField(), "IntegerField", {}, "postgresql", []),
    "a wider number where all are alike": (integer(), "BigIntegerField", {}, "sqlite", []),
    "positive numbers in a field of half their range": (
        integer(),
        "PositiveIntegerField",
        {},
        "mysql",
        ["error range"],
    ),
    "negative numbers in a positive field": (
        models.PositiveIntegerField(),
        "IntegerField",
        {},
        "mysql",
        ["error range"],
    ),
    "an integer that is a text": (integer(), "CharField", {"max_length": 9}, "sqlite", ["error type"]),
    "a text that is an integer": (text(), "IntegerField", {}, "sqlite", ["error type"]),
    "a date that has a time": (models.DateField(), "DateTimeField", {}, "mysql", ["error type"]),
    "a time without its zone": (models.DateTimeField(), "ZonelessDateTimeField", {}, "postgresql", ["error type"]),
    "a time with a zone": (ZonelessDateTimeField(), "DateTimeField", {}, "postgresql", ["error type"]),
    "a time without a zone": (ZonelessDateTimeField(), "ZonelessDateTimeField", {}, "postgresql", []),
    "json that was jsonb": (models.JSONField(), "PlainJSONField", {}, "postgresql", ["error type"]),
    "json": (PlainJSONField(), "PlainJSONField", {}, "postgresql", []),
    "a decimal that is a float": (models.FloatField(), "DecimalField", {}, "mysql", ["error type"]),
    "a UUID in a text": (models.UUIDField(), "CharField", {"max_length": 32}, "mysql", []),
    "a UUID in a text where there are UUIDs": (models.UUIDField(), "CharField", {}, "postgresql", ["error type"]),
    "JSON in a text": (models.JSONField(), "TextField", {}, "sqlite", []),
    "a truth value in a number": (models.BooleanField(), "IntegerField", {}, "mysql", []),
    "a duration in a number": (models.DurationField(), "BigIntegerField", {}, "sqlite", []),
    "another kind of key": (
        *(models.ForeignKey(Other, models.DO_NOTHING, db_column="x"), "UUIDField", {}, "postgresql"),
        ["error type", "info no foreign key"],
    ),
    "a wider key": (
        *(models.OneToOneField(Other, models.DO_NOTHING, db_column="x"), "IntegerField", {}, "postgresql"),
        ["info no foreign key", "error unique"],
    ),
    "bits": (BitField(), "BitField", {}, "mysql", []),
    "bits that are not read as a number": (models.BinaryField(), "BitField", {}, "mysql", ["error type"]),
    "bytes of one length": (models.BinaryField(max_length=2), "SizedBinaryField", {"max_length": 2}, "mysql", []),
    "a type that no field reads": (text(), "", {}, "mysql", ["info unknown type"]),
    "a type that a field of another package may read": (
        *(type("ArrayField", (models.Field,), {})(), "AsTextField", {}, "postgresql", ["info unknown type"]),
    ),
    "a number that is no longer a number": (integer(), "AsTextField", {}, "postgresql", ["error type"]),
    "a type that is read as text": (AsTextField(), "IntegerField", {}, "postgresql", []),
    "a text that is read as text": (text(), "AsTextField", {}, "postgresql", ["error type"]),
    "other values": (
        *(
            char(max_length=2, choices=[("a", "A")]),
            "CharField",
            {"max_length": 2, "choices": [["b", "b"]]},
            "postgresql",
        ),
        ["info limits"],
    ),
    "the same values by other names": (
        *(
            char(max_length=2, choices=[("b", "B")]),
            "CharField",
            {"max_length": 2, "choices": [["b", "b"]]},
            "postgresql",
        ),
        [],
    ),
}


class ComparisonTests(SimpleTestCase):
    """A model and a table that exists in no database, on each engine."""

    def found(
        self, model: type[models.Model], *columns: Column, engine: str = "postgresql", **changed: Any
    ) -> list[str]:
        key = Column("id", "BigAutoField", {}, False, "bigint")
        facts = {"primary_key": ("id",), "unique": set(), "relations": {}, **changed}
        table = Table("drift_thing", {each.name: each for each in (key, *columns)}, **facts)
        return kinds(compare(model, table, SimpleNamespace(vendor=engine, ops=ops(engine))))

    def test_differences_that_break_reads_are_told_from_others(self):
        for name, (field, column, arguments, engine, expected) in COMPARED.items():
            with self.subTest(name):
                there = Column("x", column, arguments, False, column.lower())
                self.assertEqual(self.found(model_of(x=field), there, engine=engine), expected)

    def test_null_matters_in_one_direction_and_not_in_keys(self):
        for here, there, expected in (
            (False, True, ["error null"]),
            (True, False, ["info not null"]),
            (True, True, []),
        ):
            column = Column("x", "IntegerField", {}, there, "integer")
            self.assertEqual(self.found(model_of(x=integer(null=here)), column), expected)
            zero = Column("x", "DateField", {}, False, "date", is_zero=True)
            self.assertEqual(self.found(model_of(x=models.DateField(null=here)), zero), [])
        key = model_of(id=None, x=integer(primary_key=True))
        column = Column("x", "IntegerField", {}, True, "integer")
        self.assertEqual(self.found(key, column, primary_key=("x",)), ["info extra column"])

    def test_missing_columns_break_reads_extra_columns_do_not(self):
        found = self.found(model_of(x=integer()), Column("y", "TextField", {}, False, "text"))
        self.assertEqual(found, ["error missing column", "info extra column"])

    def test_keys_that_are_gone_or_others_break_reads(self):
        x, y = (Column(name, "IntegerField", {}, False, "integer") for name in "xy")
        pair = model_of([("x", "y")], x=integer(), y=integer())
        self.assertEqual(self.found(pair, x, y, unique={("y", "x")}), [])
        self.assertEqual(self.found(pair, x, y, unique={("x",)}), ["error unique", "info unique"])
        self.assertEqual(self.found(pair, x, y, unique={("x", "y")}, primary_key=()), ["error primary key"])
        self.assertEqual(self.found(pair, x, y, unique={("x", "y")}, primary_key=("id", "x")), ["error primary key"])
        # Of columns that are not copied.
        self.assertEqual(self.found(model_of(), x, unique={("x",)}), ["info extra column"])

    def test_a_table_that_became_a_view_needs_a_key(self):
        self.assertEqual(self.found(model_of(), is_view=True, primary_key=()), ["error view"])
        self.assertEqual(self.found(model_of(chosen_key="id"), is_view=True), [])
        key = models.ForeignKey(Other, models.DO_NOTHING, db_column="x", related_name="+")
        column = Column("x", "BigIntegerField", {}, False, "bigint")
        self.assertEqual(self.found(model_of(chosen_key="id", x=key), column, is_view=True), [])

    def test_a_constraint_counts_like_a_unique_field(self):
        model = model_of(x=integer())
        model._meta.constraints = [models.UniqueConstraint(fields=["x"], name="x")]
        column = Column("x", "IntegerField", {}, False, "integer")
        self.assertEqual(self.found(model, column), ["error unique"])
        self.assertEqual(self.found(model, column, unique={("x",)}), [])
