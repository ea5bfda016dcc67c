"""What databases are compared by, and the programs that copy them."""

from __future__ import annotations

from unittest import mock

from django.db import DatabaseError

from databases.fleet import dumps
from databases.fleet.contents import contents
from databases.fleet.tests.two_servers import FleetTestCase
from databases.tenants.states import TenantError


class ContentTests(FleetTestCase):
    def now(self) -> dict[str, str]:
        return contents("tenant_acme", self.config())

    def test_a_change_of_a_value_or_a_row_shows_and_the_order_of_rows_does_not(self):
        before = self.now()
        for change, back in (
            ("UPDATE thing SET data = '\\x00fe' WHERE id = 1", "UPDATE thing SET data = '\\x00ff' WHERE id = 1"),
            ("UPDATE thing SET data = NULL WHERE id = 1", "UPDATE thing SET data = '\\x00ff' WHERE id = 1"),
            ("INSERT INTO thing VALUES (9, 'x', NULL)", "DELETE FROM thing WHERE id = 9"),
            ("CREATE TABLE more (id integer)", "DROP TABLE more"),
            ("SELECT setval('thing_id_seq', 9)", "SELECT setval('thing_id_seq', 3)"),
            ("SELECT lo_from_bytea(4711, 'x')", "SELECT lo_unlink(4711)"),
            ("CREATE VIEW seen AS SELECT 1", "DROP VIEW seen"),
            ("CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION one()"),
            ("COMMENT ON TABLE thing IS 'x'", "COMMENT ON TABLE thing IS NULL"),
            ("CREATE INDEX thing_data ON thing (data)", "DROP INDEX thing_data"),
        ):
            with self.subTest(change):
                self.sql(change)
                self.assertNotEqual(self.now(), before)
                self.sql(back)
                self.assertEqual(self.now(), before)

    def test_a_column_of_any_name_hides_no_other_column(self):
        self.sql("CREATE TABLE trap (t text, value integer); INSERT INTO trap VALUES ('same', 1)")
        before = self.now()
        self.sql("UPDATE trap SET value = 2")
        self.assertNotEqual(self.now(), before)

    def test_code_in_the_database_does_not_decide_what_is_compared(self):
        self.sql("CREATE FUNCTION seen(thing) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'the same' $$")
        self.sql("CREATE CAST (thing AS text) WITH FUNCTION seen(thing)")
        before = self.now()
        self.sql("UPDATE thing SET name = 'pie' WHERE name = 'cake'")
        self.assertNotEqual(self.now(), before)

    def test_missing_programs_are_named(self):
        nowhere = mock.patch("shutil.which", return_value=None)
        with nowhere, self.assertRaisesMessage(TenantError, "pg_dump is not on the PATH: install the client programs"):
            dumps.dump(self.config(), self.folder / "x")

    def test_a_program_that_fails_says_why_without_the_password(self):
        gone = {**self.config(), "NAME": "no such database"}
        with self.assertRaisesMessage(dumps.DumpError, "no such database cannot be reached: "):
            dumps.dump(gone, self.folder / "x")
        with self.assertRaisesMessage(dumps.DumpError, "pg_restore failed on ") as refusal:
            dumps.load(self.folder / "x", self.config())
        self.assertIn("pg_restore: ", str(refusal.exception))
        password = str(self.config()["PASSWORD"])
        with mock.patch("subprocess.Popen", side_effect=DatabaseError) as started, self.assertRaises(DatabaseError):
            dumps.dump(self.config(), self.folder / "y")
        self.assertNotIn(password, str(started.call_args.args))
        self.assertEqual(started.call_args.kwargs["env"]["PGPASSWORD"], password)

    def test_a_tenant_moves_to_no_older_version(self):
        versions = mock.patch.object(dumps, "_version", side_effect=[15, 16])
        with versions, self.assertRaisesMessage(dumps.DumpError, "is PostgreSQL 15, older than"):
            dumps.copy(self.config(), self.config())
