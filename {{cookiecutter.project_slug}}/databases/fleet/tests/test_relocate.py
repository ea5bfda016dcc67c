"""Moves from one server to another."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError

from databases.fleet import dumps, relocate
from databases.fleet.checksums import DifferenceError
from databases.fleet.models import Kind, TenantArtifact
from databases.fleet.placement import create_placed_tenant
from databases.fleet.states import FleetStatus
from databases.fleet.tests.two_servers import READ_ONLY, FleetTestCase, PowerCut, killed
from databases.tenants.managed.ddl import database_exists
from databases.tenants.tests.test_lifecycle import HOSTILE


class MoveTests(FleetTestCase):
    def test_a_tenant_moves_and_its_old_database_is_kept_until_it_is_archived(self):
        stdout = StringIO()
        call_command("move_tenant", "acme", "--server", "eu", stdout=stdout)
        self.assertIn("acme: active, in the database tenant_acme_", stdout.getvalue())
        self.assert_served_from("eu")
        self.assertEqual(TenantArtifact.objects.get().kind, Kind.OLD)
        with self.assertRaisesMessage(CommandError, "--drop-old needs --to"):
            call_command("move_tenant", "acme", "--drop-old")
        self.assertTrue(database_exists(self.source))
        call_command("move_tenant", "acme", "--drop-old", "--to", str(self.folder / "archives"), stdout=stdout)
        self.assertFalse(database_exists(self.source))
        self.assertEqual(len(self.archives()), 1)
        self.assert_served_from("eu")

    def test_the_old_database_is_not_written_while_it_is_copied_or_afterwards(self):
        real = dumps.copy

        def copy(source: dict[str, object], target: dict[str, object]) -> None:
            self.assertEqual((self.row().status, self.names()[0]), (FleetStatus.MOVING, "cake"))
            with self.assert_sqlstate(READ_ONLY):
                self.sql("DELETE FROM thing")
            real(source, target)

        before = self.connect()
        before.ensure_connection()
        with mock.patch.object(dumps, "copy", copy):
            relocate.move("acme", "eu")
        with self.assertRaises(OperationalError), before.cursor() as cursor:
            cursor.execute("DELETE FROM thing")
        with self.assertRaises(OperationalError):
            self.sql("DELETE FROM thing", config=self.source)
        self.assert_served_from("eu")

    def test_an_error_leaves_the_tenant_where_it_was(self):
        for place in ("dumps.copy", "relocate.freeze", "relocate.complete"):
            broken = mock.patch(f"databases.fleet.{place}", side_effect=DatabaseError("No space left on device"))
            with self.subTest(place), broken, self.assertRaises(DatabaseError):
                relocate.move("acme", "eu")
            self.assert_served_from("default")
            self.assertEqual(self.names_on("eu"), [])

    def test_an_error_that_cannot_be_undone_is_raised_and_the_next_run_continues(self):
        broken = mock.patch.object(dumps, "copy", side_effect=DatabaseError("the server is down"))
        stuck = mock.patch("databases.fleet.operations.thaw", side_effect=DatabaseError("still down"))
        logged = self.assertLogs("databases.fleet", "ERROR")
        with logged as logs, broken, stuck, self.assertRaisesMessage(DatabaseError, "the server is down"):
            relocate.move("acme", "eu")
        self.assertIn("The tenant acme is still moving: run `move_tenant` again", logs.output[0])
        relocate.move("acme", "eu")
        self.assert_served_from("eu")

    def test_a_copy_that_holds_something_else_is_not_switched_to(self):
        one = mock.patch("databases.fleet.relocate.checksums", return_value={"thing": "3 1"})
        other = mock.patch("databases.fleet.operations.checksums", return_value={"thing": "3 2"})
        with one, other, self.assertRaisesMessage(DifferenceError, "differs in thing"):
            relocate.move("acme", "eu")
        self.assert_served_from("default")

    def test_an_interrupted_move_is_continued_or_cancelled(self):
        cancelled = ["move_tenant", "acme", "--cancel"], "default"
        continued = ["move_tenant", "acme", "--server", "eu"], "eu"
        for words, server in (cancelled, continued):
            with self.subTest(server):
                with killed(), mock.patch.object(dumps, "copy", side_effect=PowerCut), self.assertRaises(PowerCut):
                    relocate.move("acme", "eu")
                self.assertEqual((self.row().status, len(self.names_on("eu"))), (FleetStatus.MOVING, 1))
                with self.assert_sqlstate(READ_ONLY):
                    self.sql("DELETE FROM thing")
                call_command(*words, stdout=StringIO())
                self.assert_served_from(server)
        self.assertEqual(len(self.names_on("eu")), 1)

    def test_a_move_that_was_interrupted_after_the_switch_closes_the_old_database_next_time(self):
        with mock.patch.object(relocate, "_close_old", side_effect=PowerCut), self.assertRaises(PowerCut):
            relocate.move("acme", "eu")
        self.assert_served_from("eu")
        relocate.move("acme", "eu")
        with self.assertRaises(OperationalError):
            self.sql("SELECT 1", config=self.source)

    def test_a_server_that_cannot_be_used_is_refused(self):
        for server, message in (
            ("default", "is on 'default' already"),
            *((server, "There is no server") for server in HOSTILE),
        ):
            with self.subTest(server), self.assertRaisesMessage(ValueError, message):
                relocate.move("acme", server)
        self.assert_served_from("default")

    def test_a_kept_database_does_not_become_another_tenants(self):
        relocate.move("acme", "eu")
        with self.assertRaisesMessage(ValueError, "is taken: the previous database, kept after a move, of acme"):
            create_placed_tenant("horza", server="default", database="acme")
