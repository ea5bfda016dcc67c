"""Every statement on a tenant's database names the tenant in a comment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.test import SimpleTestCase, TestCase

from databases.tenants import use_tenant
from databases.tenants.comments import marked
from databases.tenants.tests.many_tenants import ManyTenantsTestCase
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS

COMMENT = f"/*tenant='{FIRST}'*/"


@contextmanager
def sent_to(alias: str) -> Iterator[list[str]]:
    """Collect the statements that reach the driver within the block, without savepoints."""
    sent: list[str] = []

    def note(execute: Any, sql: str, *args: Any) -> Any:
        if "SAVEPOINT" not in sql:
            sent.append(sql)
        return execute(sql, *args)

    connections[alias].ensure_connection()
    with connections[alias].execute_wrapper(note):
        yield sent


class SqlOfADriver:
    """An object that stands for SQL, like psycopg's."""

    def as_string(self, connection: object) -> str:
        return f"SELECT {connection}"


class MarkedTests(SimpleTestCase):
    def test_the_comment_is_added_once_at_the_end(self):
        for sql, expected in (
            ("SELECT 1", "SELECT 1 /*tenant='acme'*/"),
            ("SELECT 1;\n", "SELECT 1 /*tenant='acme'*/"),
            ("SELECT 1 /*tenant='acme'*/", "SELECT 1 /*tenant='acme'*/"),
            ("SELECT 1 /*tenant='other'*/", "SELECT 1 /*tenant='other'*/ /*tenant='acme'*/"),
            (b"SELECT 1", b"SELECT 1 /*tenant='acme'*/"),
            (SqlOfADriver(), "SELECT 7 /*tenant='acme'*/"),
            (None, None),
        ):
            with self.subTest(sql):
                self.assertEqual(marked(sql, "acme", 7), expected)


class StatementTests(TestCase):
    databases = DATABASES

    def test_statements_of_every_kind_name_their_tenant(self):
        connection = connections[FIRST_ALIAS]
        with sent_to(FIRST_ALIAS) as statements, use_tenant(FIRST):
            point = DataPoint.objects.create(name="100 % cake", value=1)
            DataPoint.objects.filter(pk=point.pk, name__contains="%").update(value=2)
            self.assertEqual(len(list(DataPoint.objects.filter(pk=point.pk).iterator())), 1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM layer_points_datapoint WHERE id = %s", [point.pk])
                self.assertEqual(cursor.fetchone(), ("100 % cake",))
                cursor.executemany("UPDATE layer_points_datapoint SET value = %s WHERE id = %s", [(3, point.pk)] * 2)
            point.delete()
        self.assertGreaterEqual(len(statements), 6)
        for sql in statements:
            self.assertTrue(sql.endswith(COMMENT), sql)
            self.assertEqual(sql.count("tenant="), 1, sql)

    def test_statements_on_other_databases_have_no_comment(self):
        with sent_to("default") as statements, connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
        self.assertEqual(statements, ["SELECT 1"])


class MadeTenantTests(ManyTenantsTestCase):
    def test_a_reopened_connection_adds_one_comment(self):
        (alias,) = self.register(1)
        for _ in range(2):
            with sent_to(alias) as statements, connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
            self.assertEqual(statements, ["SELECT 1 /*tenant='number-0'*/"])
            connections[alias].close()
