"""Drift is found after real changes of tables, on the engine of a foreign database."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.db import DatabaseError, IntegrityError, connections, models

from databases.foreign import upstream
from databases.foreign.drift import compare
from databases.foreign.fields import AsTextField, BitField, SizedBinaryField
from databases.foreign.source import Source
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.foreign.tests.test_comparison import Other, big, char, integer, kinds, model_of, text
from databases.foreign.tests.test_seeds import FOREIGN
from databases.foreign.upstream import read_tables, table_kinds

ALIAS = FOREIGN[0]
SOURCE = Source(ALIAS, models.Model, "", "")


def every_field(**options: Any) -> dict[str, models.Field]:
    """Return one field of each class that Django has."""
    plain = (
        *(models.BigIntegerField, models.BinaryField, models.BooleanField, models.DateField, models.DateTimeField),
        *(models.DurationField, models.EmailField, models.FileField, models.FilePathField, models.FloatField),
        *(models.GenericIPAddressField, models.ImageField, models.IntegerField, models.JSONField),
        *(models.PositiveBigIntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField),
        *(models.SlugField, models.SmallIntegerField, models.TextField, models.TimeField, models.URLField),
        *(models.UUIDField,),
    )
    return {
        **{field.__name__.lower(): field(**options) for field in plain},
        "decimal": models.DecimalField(max_digits=9, decimal_places=2, **options),
        "char": char(max_length=30, **options),
        "relation": models.ForeignKey(Other, on_delete=models.DO_NOTHING, related_name="+", **options),
        "single": models.OneToOneField(Other, on_delete=models.DO_NOTHING, related_name="+", **options),
    }


#: A field of the copy, the field whose column replaces it upstream, and what is found, after its level.
CHANGES: dict[str, tuple[models.Field, models.Field, list[str]]] = {
    "a longer text": (char(max_length=9), char(max_length=20), ["info limits"]),
    "a text without a limit": (char(max_length=9), text(), ["info limits"]),
    "a number that becomes a text": (integer(), char(max_length=9), ["error type"]),
    "a text that becomes a number": (char(max_length=9), integer(), ["error type"]),
    "a date that gets a time": (models.DateField(), models.DateTimeField(), ["error type"]),
    "a number that becomes a float": (integer(), models.FloatField(), ["error type"]),
    "NULL is allowed": (integer(), integer(null=True), ["error null"]),
    "NULL is no longer allowed": (integer(null=True), integer(), ["info not null"]),
    "no longer unique": (integer(unique=True), integer(), ["error unique"]),
    "unique since": (integer(), integer(unique=True), ["info unique"]),
}


class DriftTests(SchemaTestCase):
    databases = {ALIAS}

    def make(self, model: type[models.Model]) -> None:
        with connections[ALIAS].schema_editor() as editor:
            editor.create_model(model)
        self.addCleanup(self.change, lambda editor: editor.delete_model(model))

    def change(self, statement: Callable[[Any], object]) -> None:
        with connections[ALIAS].schema_editor() as editor:
            statement(editor)

    def found(self, model: type[models.Model], key: str = "") -> list[str]:
        connection = connections[ALIAS]
        tables, failed = read_tables(SOURCE, {"drift_thing": key})
        return [*failed.values(), *(kinds(compare(model, tables["drift_thing"], connection)) if tables else [])]

    def test_every_field_of_django_fits_the_column_django_creates(self):
        for options in ({}, {"null": True}):
            model = model_of(**every_field(**options))
            self.make(Other)
            self.make(model)
            self.assertEqual(self.found(model), [])
            self.doCleanups()

    def test_changes_of_a_column_are_found_if_they_matter(self):
        for name, (before, after, expected) in CHANGES.items():
            model = model_of(x=before)
            after.set_attributes_from_name("x")
            with self.subTest(name):
                self.make(model)
                self.change(
                    lambda editor, model=model, after=after: editor.alter_field(
                        model, model._meta.get_field("x"), after
                    )
                )
                self.assertEqual(self.found(model), expected)
            self.doCleanups()

    def test_numbers_of_a_wider_range_are_found_where_the_engine_has_ranges(self):
        model = model_of(x=integer())
        self.make(model)
        wider = big()
        wider.set_attributes_from_name("x")
        self.change(lambda editor: editor.alter_field(model, model._meta.get_field("x"), wider))
        expected = [] if connections[ALIAS].vendor == "sqlite" else ["error range"]
        self.assertEqual(self.found(model), expected)

    def test_columns_that_are_unique_together_are_compared(self):
        model = model_of([("x", "y")], x=integer(), y=integer())
        self.make(model)
        self.assertEqual(self.found(model), [])
        self.change(lambda editor: editor.alter_unique_together(model, [("x", "y")], []))
        self.assertEqual(self.found(model), ["error unique"])
        self.change(lambda editor: editor.alter_unique_together(model, [], [("x", "y")]))

    def test_a_unique_index_for_some_rows_makes_nothing_unique(self):
        model = model_of(x=integer(unique=True))
        self.make(model_of(x=integer()))
        if connections[ALIAS].features.supports_partial_indexes:
            self.change(lambda editor: editor.execute("CREATE UNIQUE INDEX drift_some ON drift_thing (x) WHERE x > 5"))
        self.assertEqual(self.found(model), ["error unique"])

    def test_a_unique_index_counts_with_its_own_columns_and_if_it_is_valid(self):
        if connections[ALIAS].vendor == "postgresql":
            self.make(model_of(x=integer(), y=integer()))
            self.change(lambda editor: editor.execute("INSERT INTO drift_thing (x, y) VALUES (1, 1), (2, 1)"))
            with connections[ALIAS].cursor() as cursor:
                cursor.execute("CREATE UNIQUE INDEX ON drift_thing (x) INCLUDE (y)")
                # It fails, and stays.
                with self.assertRaises(IntegrityError):
                    cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY ON drift_thing (y)")
            tables, _ = read_tables(SOURCE, {"drift_thing": ""})
            self.assertEqual(tables["drift_thing"].unique, {("x",)})

    def test_a_table_that_becomes_a_view_is_found(self):
        self.change(lambda editor: editor.execute("CREATE VIEW drift_thing AS SELECT 1 AS id, 2 AS x"))
        self.addCleanup(self.change, lambda editor: editor.execute("DROP VIEW drift_thing"))
        fields = {"id": AsTextField(primary_key=True), "x": AsTextField()}
        self.assertEqual(self.found(model_of(**fields)), ["error view"])
        self.assertEqual(self.found(model_of(**fields, chosen_key="id"), "id"), [])

    def test_a_table_of_a_kind_that_django_does_not_tell_is_a_table(self):
        introspection = connections[ALIAS].introspection
        with mock.patch.object(introspection, "get_table_list", return_value=[SimpleNamespace(name="x", type=None)]):
            self.assertEqual(table_kinds(connections[ALIAS]), {"x": "t"})

    def test_keys_of_bytes_and_bits_are_read_and_built_again(self):
        if connections[ALIAS].vendor == "mysql":
            columns = "id binary(2) PRIMARY KEY, x bit(8), y text, a tinyint(1), b year, c blob, d point"
            columns += ", e enum('it''s', 'x'), UNIQUE (y(5))"
            self.change(lambda editor: editor.execute(f"CREATE TABLE drift_thing ({columns})"))
            tables, _ = read_tables(SOURCE, {"drift_thing": ""})
            self.change(lambda editor: editor.execute("DROP TABLE drift_thing"))
            found = tables["drift_thing"].columns
            fields = "SizedBinaryField BitField TextField BooleanField IntegerField BinaryField  CharField"
            self.assertEqual([each.field for each in found.values()], fields.split(" "))
            values = {"max_length": 4, "choices": [["it's", "it's"], ["x", "x"]]}
            self.assertEqual((found["x"].type, found["e"].arguments), ("bit(8)", values))
            # Of a text, only the beginning can be unique.
            self.assertEqual(tables["drift_thing"].unique, set())
        model = model_of(id=SizedBinaryField(max_length=2, primary_key=True), x=BitField())
        self.make(model)
        self.assertEqual(self.found(model), [])
        model.objects.using(ALIAS).create(id=b"\x00\xff", x=170)
        self.assertEqual(model.objects.using(ALIAS).get(pk=b"\x00\xff", x=170).x, 170)

    def test_columns_that_are_unique_together_without_a_name_are_read(self):
        columns = "id integer PRIMARY KEY, one integer, two NUMERIC (4, 1), three numeric, four double precision"
        columns += ", five timestamp NULL, UNIQUE (one, two)"
        self.change(lambda editor: editor.execute(f"CREATE TABLE drift_thing ({columns})"))
        self.addCleanup(self.change, lambda editor: editor.execute("DROP TABLE drift_thing"))
        tables, _ = read_tables(SOURCE, {"drift_thing": ""})
        self.assertEqual(tables["drift_thing"].unique, {("one", "two")})
        fields = [each.field.removeprefix("Zoneless") for each in tables["drift_thing"].columns.values()]
        self.assertEqual(fields[2:], ["DecimalField", "DecimalField", "FloatField", "DateTimeField"])
        self.assertNotIn("", [each.type for each in tables["drift_thing"].columns.values()])

    def test_hidden_columns_of_mariadb_are_named_and_in_no_key(self):
        if getattr(connections[ALIAS], "mysql_is_mariadb", False):
            columns = "id integer PRIMARY KEY, x integer INVISIBLE, y integer UNIQUE"
            self.change(lambda editor: editor.execute(f"CREATE TABLE drift_thing ({columns}) WITH SYSTEM VERSIONING"))
            self.addCleanup(self.change, lambda editor: editor.execute("DROP TABLE drift_thing"))
            tables, _ = read_tables(SOURCE, {"drift_thing": ""})
            self.assertEqual((tables["drift_thing"].primary_key, tables["drift_thing"].unique), (("id",), {("y",)}))
            self.assertEqual(tables["drift_thing"].columns["x"].type, "an invisible int(11)")

    def test_a_comment_of_a_column_is_no_foreign_key(self):
        if connections[ALIAS].vendor == "mysql":
            key = "FOREIGN KEY (`{}`) REFERENCES `drift_thing` (`id`)".format
            columns = f"id integer PRIMARY KEY, x integer COMMENT '{key('x')}', y integer, {key('y')}"
            self.change(lambda editor: editor.execute(f"CREATE TABLE drift_thing ({columns})"))
            self.addCleanup(self.change, lambda editor: editor.execute("DROP TABLE drift_thing"))
            tables, _ = read_tables(SOURCE, {"drift_thing": ""})
            self.assertEqual(tables["drift_thing"].relations, {"y": ("drift_thing", "id")})

    def test_a_foreign_key_that_was_never_validated_is_none(self):
        if connections[ALIAS].vendor == "postgresql":
            self.make(model_of(x=integer()))
            key = "FOREIGN KEY (x) REFERENCES drift_thing (id)"
            for validity, expected in (("NOT VALID", {}), ("", {"x": ("drift_thing", "id")})):
                added = f"ALTER TABLE drift_thing ADD CONSTRAINT drift_key {key} {validity}"
                self.change(lambda editor, added=added: editor.execute(added))
                tables, _ = read_tables(SOURCE, {"drift_thing": ""})
                self.assertEqual(tables["drift_thing"].relations, expected)
                self.change(lambda editor: editor.execute("ALTER TABLE drift_thing DROP CONSTRAINT drift_key"))

    def test_a_table_that_is_missing_does_not_hide_the_others(self):
        self.make(model_of())
        tables, failed = read_tables(SOURCE, {"gone": "", "drift_thing": ""})
        self.assertEqual(([*tables], failed), (["drift_thing"], {"gone": "is missing"}))

    def test_a_table_that_cannot_be_read_is_said_without_the_message(self):
        self.make(model_of())
        postgresql = Exception("hidden")
        postgresql.sqlstate = "42501"
        denied, other = "permission denied", "cannot be read (DatabaseError)"
        for cause, says in (
            *((postgresql, denied), (Exception(1142, "hidden"), denied), (Exception(1143, "hidden"), denied)),
            *((Exception(1146, "hidden"), other), (Exception("hidden"), other), (None, other)),
        ):
            error = DatabaseError("hidden")
            error.__cause__ = cause
            with self.subTest(repr(cause)), mock.patch.object(upstream._Reader, "table", side_effect=error):
                self.assertEqual(read_tables(SOURCE, {"drift_thing": ""}), ({}, {"drift_thing": says}))
