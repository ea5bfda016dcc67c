"""Columns that no field of Django's reads, in a real table of the mirror."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connections
from django.test.utils import isolate_apps

from databases.foreign.tests.schema_case import SchemaTestCase
from databases.mirror import MirrorModel
from databases.mirror.fields import AsTextField, PlainJSONField, ZonelessDateTimeField
from databases.mirror.upstream import read_tables

#: For each engine, a type with a value that its driver or Django cannot hold, and the text that the database shows.
TYPES = {
    "postgresql": ("int4range", "'[1,5)'", "[1,5)"),
    "mysql": ("time", "'25:00:00'", "25:00:00"),
    "sqlite": ("datetime", "'never'", "never"),
}


class FieldTests(SchemaTestCase):
    databases = {"mirror"}

    def setUp(self):
        self.connection = connections["mirror"]
        with isolate_apps("databases.mirror.tests.people"):

            class Thing(MirrorModel):
                odd = AsTextField()
                at = ZonelessDateTimeField(null=True)
                data = PlainJSONField(null=True)

                class Meta:
                    app_label = "layer_people"
                    db_table = "layer_thing"

        self.model = Thing

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
        rows = self.model._base_manager.all()
        self.assertEqual((rows.get().odd, [*rows.values_list("odd", flat=True)]), (text, [text]))
        self.assertEqual(rows.get(odd=text).pk, 1)
        self.assertEqual(rows.defer("odd").get().odd, text)

    def test_json_is_parsed_once(self):
        self.make("text", "'x'")
        self.assertEqual(self.model._base_manager.get().data, {"a": [1]})

    def test_a_time_without_its_zone_is_read_in_that_of_the_mirror(self):
        self.make("text", "'x'")
        for zone, hours in ((None, 0), ("Europe/Berlin", 2)):
            with self.subTest(zone):
                self.zone(zone)
                at = self.model._base_manager.get().at
                self.assertEqual(at, datetime(2026, 7, 1, 10, tzinfo=ZoneInfo("UTC")) - timedelta(hours=hours))
                # A filter means the same.
                self.assertEqual(self.model._base_manager.get(at=at).pk, 1)
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
        tables, _ = read_tables(self.connection, {"layer_thing": ""})
        kind = "ZonelessDateTimeField" if self.connection.vendor == "postgresql" else "DateTimeField"
        self.assertEqual(tables["layer_thing"].columns["at"].field, kind)
        at = datetime(2026, 7, 1, 10, tzinfo=ZoneInfo("Europe/Berlin"))
        self.model._base_manager.create(odd="x", at=at, data={"a": None})
        row = self.model._base_manager.get()
        self.assertEqual((row.odd, row.at, row.data), ("x", at, {"a": None}))
