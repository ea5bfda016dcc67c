"""Columns that no field of Django's reads, in a real table."""

# ruff: noqa: DJ008

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connections, models
from django.test.utils import isolate_apps

from databases.foreign.fields import AsTextField, PlainJSONField, ZonelessDateTimeField
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.foreign.tests.test_drift import ALIAS, SOURCE
from databases.foreign.upstream import read_tables

#: For each engine, a type with a value that its driver or Django cannot hold, and the text that the database shows.
TYPES = {
    "postgresql": ("int4range", "'[1,5)'", "[1,5)"),
    "mysql": ("time", "'25:00:00'", "25:00:00"),
    "sqlite": ("datetime", "'never'", "never"),
}


class FieldTests(SchemaTestCase):
    databases = {ALIAS}

    def setUp(self):
        self.connection = connections[ALIAS]
        with isolate_apps():

            class Thing(models.Model):
                odd = AsTextField()
                at = ZonelessDateTimeField(null=True)
                data = PlainJSONField(null=True)

                class Meta:
                    app_label = "layer_drift"
                    db_table = "layer_thing"

        self.model, self.rows = Thing, Thing._base_manager.using(ALIAS)

    def make(self, kind: str, value: str) -> None:
        """Create the table as the other application would, with one row."""
        plain = "json" if self.connection.vendor == "postgresql" else "text"
        at = "timestamp" if self.connection.vendor == "postgresql" else "datetime"
        with self.connection.schema_editor() as editor:
            editor.execute(f"CREATE TABLE layer_thing (id integer PRIMARY KEY, odd {kind}, at {at} NULL, data {plain})")
            data = '{"a": [1]}'
            editor.execute(f"INSERT INTO layer_thing VALUES (1, {value}, '2026-07-01 10:00:00', '{data}')")
        self.addCleanup(self.drop)

    def drop(self) -> None:
        with self.connection.schema_editor() as editor:
            editor.execute("DROP TABLE layer_thing")

    def test_a_type_without_a_field_is_read_as_text(self):
        kind, value, text = TYPES[self.connection.vendor]
        self.make(kind, value)
        self.assertEqual((self.rows.all().get().odd, [*self.rows.values_list("odd", flat=True)]), (text, [text]))
        self.assertEqual(self.rows.get(odd=text).pk, 1)
        row = self.rows.defer("odd").get()
        row.refresh_from_db(using=ALIAS, fields=["odd"])
        self.assertEqual(row.odd, text)

    def test_json_is_parsed_once(self):
        self.make("text", "'x'")
        self.assertEqual(self.rows.all().get().data, {"a": [1]})

    def test_a_time_without_its_zone_is_read_in_that_of_its_database(self):
        self.make("text", "'x'")
        for zone, hours in ((None, 0), ("Europe/Berlin", 2)):
            with self.subTest(zone):
                self.zone(zone)
                at = self.rows.all().get().at
                self.assertEqual(at, datetime(2026, 7, 1, 10, tzinfo=ZoneInfo("UTC")) - timedelta(hours=hours))
                # A filter means the same.
                self.assertEqual(self.rows.get(at=at).pk, 1)
        self.assertEqual(at.tzinfo, ZoneInfo("Europe/Berlin"))

    def zone(self, name: str | None) -> None:
        self.connection.close()
        old = self.connection.settings_dict["TIME_ZONE"]
        self.addCleanup(self.connection.settings_dict.__setitem__, "TIME_ZONE", old)
        self.connection.settings_dict["TIME_ZONE"] = name
        for cached in ("timezone", "timezone_name"):
            self.connection.__dict__.pop(cached, None)
            self.addCleanup(self.connection.__dict__.pop, cached, None)

    def test_what_tests_write_is_read_again(self):
        with self.connection.schema_editor() as editor:
            editor.create_model(self.model)
        self.addCleanup(self.drop)
        tables, _ = read_tables(SOURCE, {"layer_thing": ""})
        kind = "ZonelessDateTimeField" if self.connection.vendor == "postgresql" else "DateTimeField"
        self.assertEqual(tables["layer_thing"].columns["at"].field, kind)
        at = datetime(2026, 7, 1, 10, tzinfo=ZoneInfo("Europe/Berlin"))
        self.rows.create(odd="x", at=at, data={"a": None})
        row = self.rows.all().get()
        self.assertEqual((row.odd, row.at, row.data), ("x", at, {"a": None}))
