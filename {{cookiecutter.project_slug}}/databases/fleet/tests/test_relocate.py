"""Moves from one server to another."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError

from databases.fleet import dumps, relocate, replication
from databases.fleet.contents import DifferenceError
from databases.fleet.models import Kind, TenantArtifact, claim_database
from databases.fleet.placement import create_placed_tenant
from databases.fleet.states import FleetStatus
from databases.fleet.tests.two_servers import FleetTestCase, PowerCut, killed
from databases.tenants.tests.test_lifecycle import HOSTILE


class MoveTests(FleetTestCase):
    def test_a_tenant_moves_and_its_old_database_is_closed_and_kept(self):
        stdout = StringIO()
        call_command("move_tenant", "acme", "--server", "eu", stdout=stdout)
        self.assertIn("acme: active, in the database tenant_", stdout.getvalue())
        self.assert_served_from("eu")
        artifact = TenantArtifact.objects.get()
        self.assertEqual((artifact.kind, artifact.database), (Kind.CLOSED, "acme"))
        self.assertEqual(self.names_on("default"), ["acme"])
        self.assert_closed({**self.config(), "NAME": self.source["NAME"]})
        # Both names lead to one server, whose users these are.
        self.assertEqual(self.roles(), {"": False, "_a": True, "_b": False})

    def test_it_moves_there_and_back_and_may_be_archived(self):
        relocate.move("acme", "eu")
        relocate.move("acme", "default")
        self.assert_served_from("default")
        self.assertEqual(TenantArtifact.objects.filter(kind=Kind.CLOSED).count(), 2)
        self.archive()

    def test_nobody_writes_while_it_is_copied_or_afterwards(self):
        real = dumps.copy

        def copy(source: dict[str, object], target: dict[str, object]) -> None:
            self.assertEqual(self.row().status, FleetStatus.MOVING)
            with self.assertRaises(OperationalError):
                self.sql("DELETE FROM thing")
            real(source, target)

        before = self.connect()
        before.ensure_connection()
        with mock.patch.object(dumps, "copy", copy):
            relocate.move("acme", "eu")
        with self.assertRaises(OperationalError), before.cursor() as cursor:
            cursor.execute("DELETE FROM thing")
        self.assert_served_from("eu")

    def test_an_error_leaves_the_tenant_where_it_was(self):
        parts = ("dumps.copy", *(f"relocate.{name}" for name in ("close", "contents", "seal", "keep_closed", "change")))
        for place in parts:
            broken = mock.patch(f"databases.fleet.{place}", side_effect=DatabaseError("No space left on device"))
            with self.subTest(place), broken, self.assertRaises(DatabaseError):
                relocate.move("acme", "eu")
            self.assert_served_from("default")
            self.assertEqual(self.names_on("eu"), [])

    def test_an_error_that_cannot_be_undone_is_raised_and_the_next_run_goes_on(self):
        broken = mock.patch.object(dumps, "copy", side_effect=DatabaseError("the server is down"))
        stuck = mock.patch("databases.fleet.operations.open_again", side_effect=DatabaseError("still down"))
        logged = self.assertLogs("databases.fleet", "ERROR")
        with logged as logs, broken, stuck, self.assertRaisesMessage(DatabaseError, "the server is down"):
            relocate.move("acme", "eu")
        self.assertIn("The tenant acme is still moving, because of still down: run `move_tenant` again", logs.output[0])
        relocate.move("acme", "eu")
        self.assert_served_from("eu")

    def test_a_copy_that_holds_something_else_is_not_switched_to(self):
        found = mock.patch("databases.fleet.relocate.contents", side_effect=[{"thing": "3 1"}, {"thing": "3 2"}])
        with found, self.assertRaisesMessage(DifferenceError, "differs in thing"):
            relocate.move("acme", "eu")
        self.assert_served_from("default")

    def test_a_copy_fails_with_the_words_of_the_program_that_failed_first(self):
        into = claim_database(self.row(), Kind.TARGET, "eu").connection_settings()
        # More than a pipe holds.
        self.sql("UPDATE thing SET data = decode(repeat('00ff', 500000), 'hex')")
        self.sql("CREATE TABLE thing ()", config=into)
        with self.assertRaisesMessage(dumps.DumpError, "pg_restore failed on "):
            dumps.copy(self.config(), into)
        self.sql("DROP TABLE thing", config=into)
        self.sql("ALTER TABLE thing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        with self.assertRaisesMessage(dumps.DumpError, "pg_dump failed on "):
            dumps.copy(self.config(), into)

    def test_an_interrupted_move_is_run_again_or_cancelled(self):
        cancelled = ["move_tenant", "acme", "--cancel"], "default"
        continued = ["move_tenant", "acme", "--server", "eu"], "eu"
        for words, server in (cancelled, continued):
            with self.subTest(server):
                with killed(), mock.patch.object(dumps, "copy", side_effect=PowerCut), self.assertRaises(PowerCut):
                    relocate.move("acme", "eu")
                self.assertEqual((self.row().status, len(self.names_on("eu"))), (FleetStatus.MOVING, 1))
                with self.assertRaises(OperationalError):
                    self.sql("DELETE FROM thing")
                call_command(*words, stdout=StringIO())
                self.assert_served_from(server)
        self.assertEqual(len(self.names_on("eu")), 1)

    def test_a_cancellation_that_was_interrupted_is_completed(self):
        with killed(), mock.patch.object(dumps, "copy", side_effect=PowerCut), self.assertRaises(PowerCut):
            relocate.move("acme", "eu")
        stopped = mock.patch("databases.fleet.operations.discard_unfinished", side_effect=PowerCut)
        with stopped, self.assertRaises(PowerCut):
            call_command("move_tenant", "acme", "--cancel")
        self.assertEqual(len(self.names_on("eu")), 1)
        call_command("move_tenant", "acme", "--cancel", stdout=StringIO())
        self.assertEqual(self.names_on("eu"), [])
        self.assert_served_from("default")
        with self.assertRaisesMessage(CommandError, "Cannot cancel the moving of 'acme', which is active"):
            call_command("move_tenant", "acme", "--cancel")

    def test_what_is_left_on_a_server_that_is_gone_does_not_block_others(self):
        left = TenantArtifact.objects.create(tenant=self.row(), kind=Kind.TARGET, server="gone", database="x")
        cleaning = mock.patch.object(replication, "clean", wraps=replication.clean)
        with cleaning as cleaned, self.assertLogs("databases.fleet", "WARNING") as logs:
            relocate.move("acme", "eu")
        self.assertIn("is left, and the next operation on the tenant tries to drop it again", logs.output[0])
        # Its own server would keep the log for the other one.
        cleaned.assert_called_once()
        left.delete()
        self.assert_served_from("eu")

    def test_nothing_is_switched_once_the_lock_is_lost_with_the_registrys_session(self):
        gone = mock.patch.object(relocate, "find", side_effect=[self.row(), OperationalError("the session has ended")])
        with gone, mock.patch.object(relocate, "seal") as sealed, self.assertRaises(OperationalError):
            relocate.move("acme", "eu")
        sealed.assert_not_called()

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
        with self.assertRaisesMessage(ValueError, "is taken: a previous database, closed and kept, of acme"):
            create_placed_tenant("horza", server="default", database="acme")
