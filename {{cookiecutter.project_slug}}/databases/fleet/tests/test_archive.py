"""Archives and restores. `test_relocate` has what moves have in common with them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction

from databases.fleet import archive, database_roles, dumps, operations, relocate
from databases.fleet.checksums import DifferenceError
from databases.fleet.models import Kind, TenantArtifact, discard
from databases.fleet.states import FleetStatus
from databases.fleet.tests.two_servers import FleetTestCase, PowerCut, Status, killed
from databases.tenants import use_tenant
from databases.tenants.managed.ddl import create_database, database_exists
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.models import Tenant
from databases.tenants.registry_cache import TenantUnavailableError
from databases.tenants.states import StateError, TenantError
from databases.tenants.tests.points.models import DataPoint


class ArchiveTests(FleetTestCase):
    def assert_archived(self, number: int = 1) -> None:
        self.assertEqual((self.row().status, database_exists(self.source)), (FleetStatus.ARCHIVED, False))
        self.assertEqual(len(self.archives()), number)

    def test_a_tenant_is_written_to_a_file_and_restored(self):
        artifact = self.archive()
        self.assert_archived()
        self.assertEqual(dumps.sha256_of(Path(artifact.path)), artifact.sha256)
        self.assertEqual(Path(artifact.path).stat().st_mode & 0o077, 0)
        stdout = StringIO()
        call_command("restore_tenant", "acme", stdout=stdout)
        self.assertIn("acme: active, in the database tenant_acme_", stdout.getvalue())
        self.assert_served_from("default")

    def test_it_is_restored_to_another_server_and_from_a_file_that_was_moved(self):
        path = Path(self.archive().path)
        moved = path.rename(self.folder / "elsewhere.pgdump")
        with self.assertRaisesMessage(TenantError, "put the file back, or name it with --from"):
            archive.restore("acme")
        archive.restore("acme", moved, "eu")
        self.assert_served_from("eu")

    def test_views_and_functions_are_restored_too(self):
        self.sql("CREATE FUNCTION seven() RETURNS integer LANGUAGE sql AS 'SELECT 7'")
        self.sql("CREATE VIEW sevens AS SELECT seven() AS value FROM thing")
        self.archive()
        archive.restore("acme")
        self.assertEqual(self.sql("SELECT value FROM sevens"), [(7,)] * 3)

    def test_nothing_is_dropped_without_an_archive_that_holds_the_same(self):
        real = dumps.load

        def lose_a_row(path: Path, config: dict[str, object]) -> None:
            real(path, config)
            self.sql("UPDATE thing SET name = 'pie' WHERE name = 'cake'", config=config)

        with (
            mock.patch.object(dumps, "load", lose_a_row),
            self.assertRaisesMessage(DifferenceError, "differs in public.thing"),
        ):
            self.archive()
        self.assert_served_from("default")
        self.assertEqual((self.names_on("default"), self.archives()), (["acme"], []))

    def test_a_full_disk_loses_nothing_and_leaves_no_unfinished_file(self):
        full = mock.patch.object(dumps.os, "fsync", side_effect=OSError("No space left on device"))
        with full, self.assertRaisesMessage(CommandError, "acme: No space left on device"):
            call_command("archive_tenant", "acme", "--to", str(self.folder / "archives"))
        self.assert_served_from("default")
        self.assertEqual(self.archives(), [])

    def test_a_suspended_tenant_is_suspended_again_after_an_error(self):
        Tenant.objects.update(status=Status.SUSPENDED)
        with mock.patch.object(dumps, "dump", side_effect=OSError("full")), self.assertRaises(OSError):
            self.archive()
        self.assertEqual(self.row().status, Status.SUSPENDED)
        self.sql("DELETE FROM thing")

    def test_inside_a_transaction_nothing_begins(self):
        for work in (self.archive, lambda: relocate.move("acme", "eu")):
            with self.assertRaisesMessage(RuntimeError, "durable"), transaction.atomic():
                work()
        self.assert_served_from("default")

    def test_a_file_that_has_changed_is_refused(self):
        path = Path(self.archive().path)
        with path.open("ab") as file:
            file.write(b"x")
        with self.assertRaisesMessage(TenantError, "its SHA-256 differs"):
            archive.restore("acme")
        self.assertEqual(self.row().status, FleetStatus.ARCHIVED)

    def test_an_archive_is_never_discarded(self):
        path = self.folder / "x"
        path.touch()
        for kind in (Kind.ARCHIVE, Kind.DROPPING, Kind.OLD_ARCHIVE):
            artifact = TenantArtifact(tenant=self.row(), kind=kind, path=str(path))
            with self.assertRaisesMessage(ValueError, "must be deleted manually"):
                discard(artifact)
        self.assertTrue(path.exists())

    def test_an_interrupted_archiving_is_continued_or_cancelled(self):
        for carry_on, files in ((self.cancel_and_check, 0), (self.archive, 1)):
            with killed(), mock.patch.object(dumps, "load", side_effect=PowerCut), self.assertRaises(PowerCut):
                self.archive()
            self.assertEqual((self.row().status, len(self.names_on("default"))), (FleetStatus.ARCHIVING, 2))
            carry_on()
            self.assertEqual(len(self.archives()), files)
        self.assert_archived()

    def cancel_and_check(self) -> None:
        """Cancel an archiving, which leaves the tenant suspended; at first its server does not answer."""
        down = mock.patch.object(operations, "thaw", side_effect=DatabaseError("the server is down"))
        with down, self.assertRaisesMessage(CommandError, "acme: the server is down"):
            call_command("archive_tenant", "acme", "--cancel")
        self.assertEqual(self.row().status, FleetStatus.ARCHIVING)
        stdout = StringIO()
        call_command("archive_tenant", "acme", "--cancel", stdout=stdout)
        self.assertEqual(stdout.getvalue(), "acme: suspended\n")
        call_command("resume_tenant", "acme", stdout=stdout)
        self.assert_served_from("default")

    def test_an_archiving_that_was_interrupted_after_the_drop_trusts_only_the_archive(self):
        with mock.patch.object(database_roles, "drop", side_effect=PowerCut), self.assertRaises(PowerCut):
            self.archive()
        # Someone has created a database of the same name since.
        create_database(self.source)
        with self.assertRaisesMessage(TenantError, "is complete already: run `archive_tenant` again"):
            archive.cancel("acme")
        self.archive()
        self.assert_archived()
        archive.restore("acme")
        self.assert_served_from("default")

    def test_no_query_and_no_command_creates_the_database_of_an_archived_tenant(self):
        self.archive()
        for status in (FleetStatus.ARCHIVING, FleetStatus.ARCHIVED, FleetStatus.RESTORING):
            Tenant.objects.update(status=status)
            with self.subTest(status):
                with use_tenant("acme"), self.assertRaisesMessage(TenantUnavailableError, f"is {status}"):
                    DataPoint.objects.count()
                with self.assertRaisesMessage(CommandError, f"Cannot make the database of 'acme', which is {status}: "):
                    call_command("create_tenant", "acme", "--database", "acme")
                self.assertFalse(database_exists(self.source))

    def test_a_connection_from_before_the_archiving_is_not_used_afterwards(self):
        call_command("create_tenant", "acme", "--database", "acme", stdout=StringIO())
        with use_tenant("acme"):
            self.assertEqual(DataPoint.objects.count(), 0)
            self.archive()
            with self.assertRaises(TenantUnavailableError):
                DataPoint.objects.count()

    def test_a_second_process_that_works_on_the_same_tenant_is_refused(self):
        # The lock belongs to a connection, which could take it twice.
        other = connections["default"].copy()
        self.addCleanup(other.close)
        locks = mock.patch("databases.tenants.managed.locks.connection", other)
        with tenant_lock(self.row()), locks, self.assertRaisesMessage(TenantError, "Another process works on"):
            self.archive()

    def test_a_refusal_because_of_the_status_says_what_to_do(self):
        self.archive()
        for work in (lambda: relocate.move("acme", "eu"), self.archive, lambda: relocate.cancel("acme")):
            with self.assertRaisesMessage(StateError, "which is archived: restore it first, with `restore_tenant`"):
                work()

    def test_the_archive_of_a_previous_database_is_restored_only_if_its_file_is_named(self):
        relocate.move("acme", "eu")
        self.sql("INSERT INTO thing (name) VALUES ('pie')")
        newest = self.archive()
        (old,) = relocate.drop_old("acme", self.folder / "archives")
        self.assertEqual(archive.archive_of(self.row()), (newest, Path(newest.path)))
        archive.restore("acme", Path(old.path))
        self.assert_served_from("default")

    def test_a_folder_may_have_any_name(self):
        name = '-o\'brien "b" `c`; --\né'
        artifact = archive.archive("acme", self.folder / name)
        self.assertEqual(Path(artifact.path).parent.name, name)
        archive.restore("acme")
        self.assertEqual(len(self.names()), 3)

    def test_the_command_needs_a_folder_or_cancel(self):
        for words in ([], ["--to", "x", "--cancel"]):
            with self.subTest(words), self.assertRaises(CommandError):
                call_command("archive_tenant", "acme", *words)
