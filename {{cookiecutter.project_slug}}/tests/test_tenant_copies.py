"""Archives, restores and moves, on SQLite files: the way is the same on every engine, and the template tests theirs."""

from __future__ import annotations

import sqlite3
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.test import TestCase, override_settings

from databases.models import Tenant, TenantCopy
from databases.tenants import archive, dumps, move, use_tenant
from databases.tenants.alone import alone_with
from databases.tenants.copies import discard
from databases.tenants.fingerprints import DifferenceError, fingerprint
from databases.tenants.lifecycle import create_tenant
from databases.tenants.lookup import TenantUnavailableError
from databases.tenants.states import StateError, TenantError
from projects.models import DataPoint

from .test_tenant_lifecycle import HOSTILE

Kind = TenantCopy.Kind
Status = Tenant.Status


class PowerCut(BaseException):
    """Like the end of a process: nothing that handles errors gets to see it, and no clearing up is done."""


class CopiesTestCase(TestCase):
    """Two servers in a temporary folder, and the tenant `acme` with three rows on the first."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        servers = {
            name: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.folder / name / "{name}.sqlite3")}
            for name in ("default", "eu")
        }
        servers["other"] = {"ENGINE": "django.db.backends.postgresql", "NAME": "{name}"}
        changed = override_settings(TENANT_SERVERS=servers, TENANT_CACHE_SECONDS=0)
        changed.enable()
        self.addCleanup(changed.disable)
        Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)
        self.source = self.folder / "default" / "acme.sqlite3"
        self.source.parent.mkdir()
        (self.folder / "eu").mkdir()
        self.write("CREATE TABLE thing (id integer PRIMARY KEY, name text UNIQUE, data blob)")
        for name in ("cake", "orbit", "o'brien; --"):
            self.write("INSERT INTO thing (name, data) VALUES (?, x'00ff')", name)

    def write(self, statement: str, *values: str, path: Path | None = None) -> None:
        database = sqlite3.connect(path or self.path(), timeout=0)
        with database:
            database.execute(statement, values)
        database.close()

    def row(self) -> Tenant:
        return Tenant.objects.get(slug="acme")

    def path(self) -> Path:
        """Return the file of the tenant's database."""
        return Path(self.row().connection_settings()["NAME"])

    def names(self) -> list[str]:
        database = sqlite3.connect(f"file:{self.path()}?mode=ro", uri=True)
        names = [row[0] for row in database.execute("SELECT name FROM thing ORDER BY id")]
        database.close()
        return names

    def files(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).glob("*"))

    def check_served_from(self, server: str) -> None:
        """Check that the tenant is active there, with all rows, and can be written to; nothing half-made is left."""
        self.assertEqual((self.row().status, self.row().server), (Status.ACTIVE, server))
        self.assertEqual(self.names(), ["cake", "orbit", "o'brien; --"])
        self.write("UPDATE thing SET name = 'cake' WHERE name = 'cake'")
        self.assertFalse(TenantCopy.objects.exclude(kind__in=[Kind.ARCHIVE, Kind.OLD, Kind.OLD_ARCHIVE]).exists())

    def archive(self) -> TenantCopy:
        return archive.archive("acme", self.folder / "archives")


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
