"""Moves, and what copies are compared by, on SQLite files: the way is the same on every engine."""

from __future__ import annotations

import sqlite3
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError

from databases.models import TenantCopy
from databases.tenants import dumps, move
from databases.tenants.fingerprints import DifferenceError, fingerprint
from databases.tenants.lifecycle import create_tenant
from databases.tenants.states import TenantError

from .tenant_on_files import CopiesTestCase, Kind, PowerCut, Status
from .test_tenant_lifecycle import HOSTILE


class MoveTests(CopiesTestCase):
    def test_a_tenant_moves_and_its_old_database_stays_until_it_is_archived(self):
        stdout = StringIO()
        call_command("move_tenant", "acme", "--server", "eu", stdout=stdout)
        self.assertIn("acme: active, in the database tenant_acme_", stdout.getvalue())
        self.check_served_from("eu")
        self.assertEqual(TenantCopy.objects.get().kind, Kind.OLD)
        with self.assertRaisesMessage(CommandError, "--drop-old needs --to"):
            call_command("move_tenant", "acme", "--drop-old")
        self.assertTrue(self.source.exists())
        call_command("move_tenant", "acme", "--drop-old", "--to", str(self.folder / "archives"), stdout=stdout)
        self.assertFalse(self.source.exists())
        self.assertEqual(len(self.files("archives")), 1)
        self.check_served_from("eu")

    def test_nobody_writes_to_the_old_database_while_it_is_copied_or_afterwards(self):
        real = dumps.copy

        def copy(source: dict[str, object], target: dict[str, object]) -> None:
            self.assertEqual((self.row().status, self.names()[0]), (Status.MOVING, "cake"))
            with self.assertRaisesMessage(sqlite3.IntegrityError, "nothing is written"):
                self.write("DELETE FROM thing")
            real(source, target)

        with mock.patch.object(dumps, "copy", copy):
            move.move("acme", "eu")
        with self.assertRaisesMessage(sqlite3.IntegrityError, "nothing is written"):
            self.write("INSERT INTO thing (name) VALUES ('late')", path=self.source)
        self.check_served_from("eu")

    def test_an_error_leaves_the_tenant_where_it_was(self):
        for function in ("copy", "vendor_of"):
            broken = mock.patch.object(dumps, function, side_effect=DatabaseError("No space left on device"))
            with self.subTest(function), broken, self.assertRaises(DatabaseError):
                move.move("acme", "eu")
            self.check_served_from("default")
            self.assertEqual(self.files("eu"), [])

    def test_a_copy_that_holds_something_else_is_not_switched_to(self):
        one = mock.patch("databases.tenants.move.fingerprint", return_value={"thing": "3 1"})
        other = mock.patch("databases.tenants.archive.fingerprint", return_value={"thing": "3 2"})
        with one, other, self.assertRaisesMessage(DifferenceError, "differs in thing"):
            move.move("acme", "eu")
        self.check_served_from("default")

    def test_a_move_that_was_interrupted_is_carried_on_or_cancelled(self):
        for carry_on, server in ((lambda: move.cancel("acme"), "default"), (lambda: move.move("acme", "eu"), "eu")):
            with self.subTest(server):
                # As a process that is killed leaves it.
                half_made = mock.patch("databases.tenants.move.try_to_discard_half_made")
                frozen = mock.patch("databases.tenants.move.thaw_or_tell", return_value=False)
                cut = mock.patch.object(dumps, "copy", side_effect=PowerCut)
                with half_made, frozen, cut, self.assertRaises(PowerCut):
                    move.move("acme", "eu")
                self.assertEqual((self.row().status, len(self.files("eu"))), (Status.MOVING, 1))
                with self.assertRaises(sqlite3.IntegrityError):
                    self.write("DELETE FROM thing")
                carry_on()
                self.check_served_from(server)
        self.assertEqual(len(self.files("eu")), 1)

    def test_servers_that_cannot_be(self):
        for server, message in (
            ("default", "is on 'default' already"),
            ("other", "is not of the engine sqlite"),
            *((server, "There is no server") for server in HOSTILE),
        ):
            with self.subTest(server), self.assertRaisesMessage(ValueError, message):
                move.move("acme", server)
        self.check_served_from("default")

    def test_a_kept_database_becomes_no_other_tenants(self):
        move.move("acme", "eu")
        with self.assertRaisesMessage(ValueError, "is taken: the database that the tenant had before it moved of acme"):
            create_tenant("horza", database="acme")


class FingerprintTests(CopiesTestCase):
    def test_every_change_of_a_value_or_a_row_shows_and_the_order_of_rows_does_not(self):
        def now() -> dict[str, str]:
            return fingerprint("tenant_acme", self.row().connection_settings())

        before = now()
        for change, back in (
            ("UPDATE thing SET data = x'00fe' WHERE id = 1", "UPDATE thing SET data = x'00ff' WHERE id = 1"),
            ("UPDATE thing SET data = NULL WHERE id = 1", "UPDATE thing SET data = x'00ff' WHERE id = 1"),
            ("INSERT INTO thing VALUES (9, 'x', NULL)", "DELETE FROM thing WHERE id = 9"),
            ("CREATE TABLE more (id integer)", "DROP TABLE more"),
        ):
            with self.subTest(change):
                self.write(change)
                self.assertNotEqual(now(), before)
                self.write(back)
                self.assertEqual(now(), before)

    def test_the_programs_of_a_server_that_are_missing_are_named(self):
        config = {**self.row().connection_settings(), "ENGINE": "django.db.backends.dummy"}
        vendor = mock.patch.object(dumps, "vendor_of", return_value="postgresql")
        nowhere = mock.patch("shutil.which", return_value=None)
        with vendor, nowhere, self.assertRaisesMessage(TenantError, "pg_dump is not on the PATH: install the client"):
            dumps.dump(config, self.folder / "x")
