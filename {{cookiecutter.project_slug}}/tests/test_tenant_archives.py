"""Archives and restores, on SQLite files: the way is the same on every engine, and the template tests theirs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connections

from databases.models import Tenant
from databases.tenants import archive, dumps, move, use_tenant
from databases.tenants.alone import alone_with
from databases.tenants.copies import discard
from databases.tenants.fingerprints import DifferenceError
from databases.tenants.lookup import TenantUnavailableError
from databases.tenants.states import StateError, TenantError
from projects.models import DataPoint

from .tenant_on_files import CopiesTestCase, PowerCut, Status


class ArchiveTests(CopiesTestCase):
    def test_a_tenant_goes_into_a_file_and_comes_back(self):
        copy = self.archive()
        self.assertEqual((self.row().status, self.source.exists()), (Status.ARCHIVED, False))
        self.assertEqual(dumps.sha256_of(Path(copy.path)), copy.sha256)
        self.assertEqual(Path(copy.path).stat().st_mode & 0o077, 0)
        stdout = StringIO()
        call_command("restore_tenant", "acme", stdout=stdout)
        self.assertIn("acme: active, in the database tenant_acme_", stdout.getvalue())
        self.check_served_from("default")

    def test_it_is_restored_to_another_server_and_from_where_its_file_is_now(self):
        path = Path(self.archive().path)
        moved = path.rename(self.folder / "elsewhere.sqlite3")
        with self.assertRaisesMessage(TenantError, "name its file with --from"):
            archive.restore("acme")
        archive.restore("acme", moved, "eu")
        self.check_served_from("eu")

    def test_nothing_is_dropped_without_an_archive_that_holds_the_same(self):
        real = dumps.load

        def lose_a_row(path: Path, config: dict[str, object]) -> None:
            real(path, config)
            # Frozen in the file as well.
            for name in ("INSERT", "UPDATE", "DELETE"):
                self.write(f'DROP TRIGGER "tenant_is_frozen_{name}_thing"', path=Path(str(config["NAME"])))
            self.write("UPDATE thing SET name = 'pie' WHERE name = 'cake'", path=Path(str(config["NAME"])))

        with (
            mock.patch.object(dumps, "load", lose_a_row),
            self.assertRaisesMessage(DifferenceError, "differs in thing"),
        ):
            self.archive()
        self.check_served_from("default")
        self.assertEqual((self.files("default"), self.files("archives")), (["acme.sqlite3"], []))

    def test_a_full_disk_loses_nothing_and_leaves_no_half_of_a_file(self):
        full = mock.patch.object(dumps, "_copy_sqlite", side_effect=OSError("No space left on device"))
        with full, self.assertRaisesMessage(CommandError, "acme: No space left on device"):
            call_command("archive_tenant", "acme", "--to", str(self.folder / "archives"))
        self.check_served_from("default")
        self.assertEqual(self.files("archives"), [])

    def test_a_suspended_tenant_is_suspended_again_after_an_error(self):
        Tenant.objects.update(status=Status.SUSPENDED)
        with mock.patch.object(dumps, "dump", side_effect=OSError("full")), self.assertRaises(OSError):
            self.archive()
        self.assertEqual(self.row().status, Status.SUSPENDED)

    def test_a_file_that_is_not_the_one_that_was_verified_is_refused(self):
        path = Path(self.archive().path)
        with path.open("ab") as file:
            file.write(b"x")
        with self.assertRaisesMessage(TenantError, "its SHA-256 is another"):
            archive.restore("acme")
        self.assertEqual(self.row().status, Status.ARCHIVED)

    def test_an_archive_is_dropped_by_no_program(self):
        move.move("acme", "eu")
        for copy in (*move.drop_old("acme", self.folder), self.archive()):
            with self.assertRaisesMessage(ValueError, "is not dropped by anything but a person"):
                discard(copy)
            self.assertTrue(Path(copy.path).exists())

    def test_an_archiving_that_ended_after_the_drop_trusts_nothing_but_the_archive(self):
        with mock.patch.object(archive, "_drop_users", side_effect=PowerCut), self.assertRaises(PowerCut):
            self.archive()
        # Somebody has made a database in the place of the one that is gone.
        self.source.touch()
        with self.assertRaisesMessage(TenantError, "is in its archive already: run `archive_tenant` again"):
            archive.cancel("acme")
        self.archive()
        self.assertEqual((self.row().status, self.source.exists()), (Status.ARCHIVED, False))
        self.assertEqual(len(self.files("archives")), 1)
        archive.restore("acme")
        self.check_served_from("default")

    def test_no_query_and_no_command_makes_a_database_in_the_place_of_one_that_is_gone(self):
        self.archive()
        for status in (Status.ARCHIVING, Status.ARCHIVED, Status.RESTORING):
            Tenant.objects.update(status=status)
            with self.subTest(status):
                with use_tenant("acme"), self.assertRaisesMessage(TenantUnavailableError, f"which is {status}: "):
                    DataPoint.objects.count()
                with self.assertRaisesMessage(CommandError, f"Cannot make the database of 'acme', which is {status}: "):
                    call_command("create_tenant", "acme", "--database", "acme")
                self.assertFalse(self.source.exists())

    def test_a_connection_from_before_the_archiving_is_not_used_on(self):
        call_command("create_tenant", "acme", "--database", "acme", stdout=StringIO())
        with use_tenant("acme"):
            self.assertEqual(DataPoint.objects.count(), 0)
            self.archive()
            with self.assertRaises(TenantUnavailableError):
                DataPoint.objects.count()

    def test_another_process_at_the_same_tenant_is_refused(self):
        # What holds the lock on a server is the connection, which would be let in a second time.
        other = mock.patch("databases.tenants.alone.connection", connections["default"].copy())
        with alone_with(self.row()), other, self.assertRaisesMessage(TenantError, "Another process is busy"):
            self.archive()

    def test_what_another_status_does_not_allow_says_what_to_do(self):
        self.archive()
        for work in (lambda: move.move("acme", "eu"), self.archive, lambda: move.cancel("acme")):
            with self.assertRaisesMessage(StateError, "which is archived: bring it back first, with `restore_tenant`"):
                work()

    def test_what_it_has_moved_away_from_comes_back_only_where_its_file_is_named(self):
        move.move("acme", "eu")
        self.write("INSERT INTO thing (name) VALUES ('pie')")
        self.archive()
        (old,) = move.drop_old("acme", self.folder / "archives")
        archive.restore("acme")
        self.assertEqual(self.names(), ["cake", "orbit", "o'brien; --", "pie"])
        self.archive()
        archive.restore("acme", Path(old.path))
        self.check_served_from("default")

    def test_a_folder_of_any_name_is_a_folder(self):
        for name in ("o'brien; --", 'a "b" `c`', "été", "-x", "a\nb"):
            with self.subTest(name):
                copy = archive.archive("acme", self.folder / name)
                self.assertEqual(Path(copy.path).parent.name, name)
                archive.restore("acme")
                self.assertEqual(len(self.names()), 3)
