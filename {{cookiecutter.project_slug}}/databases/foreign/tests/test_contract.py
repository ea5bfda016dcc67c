"""What a contract says is broken, and how its program reads types and URLs. Nothing here needs a database."""

from __future__ import annotations

import sqlite3
import sys
from unittest import mock

from django.test import SimpleTestCase

from databases.foreign import contract_check
from databases.foreign.contract_check import compare

CONTRACT = {"shop": {"id": {"type": "integer", "null": False}, "name": {"type": "text", "null": True}}}
#: What the database has now, and what is broken.
NOW = {
    "the same": (CONTRACT, []),
    "more than that": ({"more": {}, "shop": {**CONTRACT["shop"], "more": {"type": "text", "null": True}}}, []),
    "less NULL": ({"shop": {**CONTRACT["shop"], "name": {"type": "text", "null": False}}}, []),
    "no table": ({}, ["the table shop is missing"]),
    "no column": ({"shop": {"id": CONTRACT["shop"]["id"]}}, ["shop.name is missing"]),
    "two changes": (
        {"shop": {"id": {"type": "bigint", "null": False}, "name": {"type": "integer", "null": True}}},
        ["shop.id was integer and is bigint", "shop.name was text and is integer"],
    ),
    "NULL": (
        {"shop": {**CONTRACT["shop"], "id": {"type": "integer", "null": True}}},
        ["shop.id can be NULL, and could not be"],
    ),
}


class ComparisonTests(SimpleTestCase):
    def test_what_breaks_a_reader_is_told_and_nothing_else(self):
        for name, (now, broken) in NOW.items():
            with self.subTest(name):
                self.assertEqual(compare(CONTRACT, now), broken)


class ReadingTests(SimpleTestCase):
    """Types of SQLite, which every Python reads."""

    def test_lengths_do_not_count(self):
        cursor = sqlite3.connect(":memory:").cursor()
        cursor.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, b VARCHAR(10) NOT NULL, c NUMERIC(5, 2), d TINYINT(1))")
        cursor.execute("ALTER TABLE a ADD COLUMN e TEXT GENERATED ALWAYS AS (b)")
        cursor.execute("CREATE VIEW v AS SELECT b FROM a")
        found = contract_check.read(cursor, "sqlite")
        self.assertEqual(
            {name: each["type"] for name, each in found["a"].items()},
            {"id": "integer", "b": "varchar", "c": "numeric", "d": "tinyint(1)", "e": "text"},
        )
        self.assertEqual([each["null"] for each in found["a"].values()], [False, False, True, True, True])
        self.assertEqual([*found], ["a", "v"])

    def test_urls_lead_to_the_drivers_that_are_there(self):
        drivers = {name: mock.Mock() for name in ("psycopg2", "pymysql")}
        with mock.patch.dict(sys.modules, {**drivers, "psycopg": None, "MySQLdb": None}):
            contract_check.connect("postgres://me:p%40ss@server:5433/shop?sslmode=require")
            contract_check.connect("mariadb://me:p%40ss@server/shop")
            contract_check.connect("mysql:///shop")
            with self.assertRaises(ImportError), mock.patch.dict(sys.modules, {"psycopg2": None}):
                contract_check.connect("postgresql://server/shop")
        drivers["psycopg2"].connect.assert_called_once_with("postgresql://me:p%40ss@server:5433/shop?sslmode=require")
        calls = (("server", "me", "p@ss"), ("localhost", "", ""))
        self.assertEqual(
            drivers["pymysql"].connect.mock_calls,
            [mock.call(host=host, port=3306, user=me, password=word, database="shop") for host, me, word in calls],
        )
