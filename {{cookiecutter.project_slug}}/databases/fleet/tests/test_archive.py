"""Archives, restores and what is purged. `test_relocate` has what moves have in common with them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone

from databases.fleet import archive, closing, credentials, dumps, operations, purge, relocate
from databases.fleet.contents import DifferenceError
from databases.fleet.models import UNFINISHED, Kind, TenantArtifact, discard
from databases.fleet.states import FleetStatus
from databases.fleet.tests.two_servers import FleetTestCase, PowerCut, Status, killed
from databases.tenants import use_tenant
from databases.tenants.context import TenantUnavailableError
from databases.tenants.managed.ddl import database_exists, drop_database
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.models import Tenant
from databases.tenants.states import StateError, TenantError
from databases.tenants.tests.points.models import DataPoint


def output(*words: str) -> str:
    stdout = StringIO()
    call_command(*words, stdout=stdout)
    return stdout.getvalue()


class ArchiveTests(FleetTestCase):
    def assert_archived(self, number: int = 1) -> None:
        self.assertEqual((self.row().status, len(self.archives())), (FleetStatus.ARCHIVED, number))
        self.assertEqual(self.names_on("default"), ["acme"])
        self.assert_closed(self.config())
        self.assertEqual(self.roles(), {"": False, "_a": False, "_b": False})

    def test_a_tenant_is_written_to_a_file_and_restored(self):
        artifact = self.archive()
        self.assert_archived()
        self.assertEqual(dumps.sha256_of(Path(artifact.path)), artifact.sha256)
        self.assertEqual(Path(artifact.path).stat().st_mode & 0o077, 0)
        self.assertIn("acme: active, in the database tenant_", output("restore_tenant", "acme"))
        self.assert_served_from("default")

    def test_each_archiving_writes_a_new_file_with_the_present_content(self):
        self.archive()
        archive.restore("acme")
        self.sql("INSERT INTO thing (name) VALUES ('pie')")
        self.archive()
        self.assertEqual(len(self.archives()), 2)
        archive.restore("acme")
        self.assertIn("pie", self.names())

    def test_it_is_restored_to_another_server_and_from_a_file_that_was_moved(self):
        path = Path(self.archive().path)
        moved = path.rename(self.folder / "elsewhere.pgdump")
        with self.assertRaisesMessage(TenantError, "put the file back, or name where it is (--from)"):
            archive.restore("acme")
        with self.assertRaisesMessage(ValueError, "There is no server 'gone'"):
            archive.restore("acme", moved, "gone")
        archive.restore("acme", moved, "eu")
        self.assert_served_from("eu")

    def test_all_that_a_dump_holds_is_restored(self):
        self.sql("CREATE FUNCTION seven() RETURNS integer LANGUAGE sql AS 'SELECT 7'")
        self.sql("CREATE VIEW sevens AS SELECT seven() AS value FROM thing")
        self.sql("CREATE SCHEMA more; CREATE TYPE more.mood AS ENUM ('sad')")
        self.sql("SELECT lo_from_bytea(4711, 'large')")
        self.sql("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; GRANT SELECT ON thing TO PUBLIC")
        self.sql("COMMENT ON TABLE thing IS 'of beauty'")
        self.archive()
        archive.restore("acme")
        self.assertEqual(self.sql("SELECT value FROM sevens"), [(7,)] * 3)
        self.assertEqual(self.sql("SELECT encode(lo_get(4711), 'escape'), 'sad'::more.mood"), [("large", "sad")])
        self.assertEqual(
            self.sql("SELECT obj_description('thing'::regclass), count(*) FROM pg_default_acl"), [("of beauty", 1)]
        )
        self.assertEqual(
            self.sql("SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE relname = 'thing' AND grantee = 0"),
            [(1,)],
        )

    def test_nothing_is_closed_for_good_without_an_archive_that_holds_the_same(self):
        real = dumps.load
        for loss in ("UPDATE thing SET name = 'pie' WHERE name = 'cake'", "DROP VIEW seen", "SELECT lo_unlink(4711)"):
            self.sql("CREATE OR REPLACE VIEW seen AS SELECT 1")
            self.sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata; SELECT lo_from_bytea(4711, 'x')")

            def lose(path: Path, config: dict[str, object], loss: str = loss) -> None:
                real(path, config)
                self.sql(loss, config=config)

            with (
                self.subTest(loss),
                mock.patch.object(dumps, "load", lose),
                self.assertRaisesMessage(DifferenceError, "does not hold what its source held: it differs in"),
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
        works = (
            self.archive,
            lambda: archive.restore("acme"),
            lambda: relocate.move("acme", "eu"),
            lambda: operations.cancel("acme", FleetStatus.MOVING),
            lambda: purge.purge(TenantArtifact(tenant=self.row())),
        )
        TenantArtifact.objects.create(
            tenant=self.row(),
            kind=Kind.ARCHIVE,
            path=__file__,
            server="default",
            sha256=dumps.sha256_of(Path(__file__)),
        )
        for work in works:
            with transaction.atomic(), self.assertRaisesMessage(TenantError, "inside a transaction"):
                work()
        self.assert_served_from("default")

    def test_a_file_that_has_changed_is_refused(self):
        path = Path(self.archive().path)
        with path.open("ab") as file:
            file.write(b"x")
        for work in (lambda: archive.restore("acme"), lambda: archive.verify("acme")):
            with self.assertRaisesMessage(TenantError, "its SHA-256 differs"):
                work()
        self.assert_archived()

    def test_the_archive_of_another_tenant_is_refused(self):
        file = Path(__file__)
        TenantArtifact.objects.create(
            tenant=Tenant.objects.create(slug="horza", database="horza"),
            kind=Kind.ARCHIVE,
            path=str(file),
            sha256=dumps.sha256_of(file),
        )
        for given in (None, file):
            with self.subTest(given), self.assertRaisesMessage(TenantError, "There is no archive of 'acme'"):
                archive.archive_of(self.row(), given)

    def test_an_archive_is_never_discarded(self):
        path = self.folder / "x"
        path.touch()
        with self.assertRaisesMessage(ValueError, "delete it manually"):
            discard(TenantArtifact(tenant=self.row(), kind=Kind.ARCHIVE, path=str(path)))
        self.assertTrue(path.exists())

    def test_an_interrupted_archiving_is_run_again_or_cancelled(self):
        for carry_on, files in ((self.cancel_and_check, 0), (self.archive, 1)):
            with killed(), mock.patch.object(dumps, "load", side_effect=PowerCut), self.assertRaises(PowerCut):
                self.archive()
            self.assertEqual((self.row().status, len(self.names_on("default"))), (FleetStatus.ARCHIVING, 2))
            carry_on()
            self.assertEqual(len(self.archives()), files)
        self.assert_archived()

    def cancel_and_check(self) -> None:
        """Cancel an archiving, which leaves the tenant suspended; at first its server does not answer."""
        down = mock.patch.object(operations, "open_again", side_effect=DatabaseError("the server is down"))
        with down, self.assertRaisesMessage(CommandError, "acme: the server is down"):
            call_command("archive_tenant", "acme", "--cancel")
        self.assertEqual(self.row().status, FleetStatus.ARCHIVING)
        self.assertEqual(
            output("archive_tenant", "acme", "--cancel"), "acme: suspended; open its pages with `resume_tenant`\n"
        )
        output("resume_tenant", "acme")
        self.assert_served_from("default")

    def test_an_error_after_the_database_was_sealed_opens_it_again(self):
        with mock.patch.object(archive, "keep_closed", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            self.archive()
        self.assert_served_from("default")
        self.assertEqual(self.archives(), [])

    def test_an_error_after_the_last_step_undoes_nothing(self):
        opened = mock.patch.object(operations, "open_again")
        with opened as opens, self.assertRaises(ZeroDivisionError), operations.operation("acme", "archive"):
            archive.change("acme", "finish archiving")
            raise ZeroDivisionError
        opens.assert_not_called()

    def test_an_error_while_it_is_restored_leaves_it_archived_and_closed(self):
        self.archive()
        for place in ("dumps.load", "archive.change"):
            broken = mock.patch(f"databases.fleet.{place}", side_effect=DatabaseError("No space left on device"))
            with self.subTest(place), broken, self.assertRaises(DatabaseError):
                archive.restore("acme")
            self.assertEqual((self.row().status, self.names_on("default")), (FleetStatus.ARCHIVED, ["acme"]))
            self.assertFalse(self.roles()["_b"])
            # Where other tests of this class have left databases that are open, so is the server for their user.
            if not self.left:
                self.assert_archived()

    def test_an_error_at_the_very_end_of_a_restore_leaves_no_served_database_to_be_dropped(self):
        self.archive()
        with mock.patch.object(TenantArtifact, "delete", side_effect=DatabaseError), self.assertRaises(DatabaseError):
            archive.restore("acme")
        self.assertEqual(self.row().status, FleetStatus.ARCHIVED)

    def test_an_interrupted_restore_without_its_file_is_archived_again(self):
        path = Path(self.archive().path)
        with killed(), mock.patch.object(dumps, "load", side_effect=PowerCut), self.assertRaises(PowerCut):
            archive.restore("acme")
        moved = path.rename(self.folder / "elsewhere.pgdump")
        with self.assertRaisesMessage(TenantError, "put the file back, or name where it is (--from)"):
            archive.restore("acme")
        moved.rename(path)
        self.assert_archived()

    def test_an_interrupted_restore_goes_on_elsewhere_if_the_old_server_is_gone(self):
        self.archive()
        with killed(), mock.patch.object(dumps, "load", side_effect=PowerCut), self.assertRaises(PowerCut):
            archive.restore("acme", server="eu")
        gone = {**self.servers["default"], "HOST": "127.0.0.1", "PORT": "1"}
        with self.settings(TENANT_SERVERS={**self.servers, "default": gone}):
            archive.restore("acme", server="eu")
        self.assert_served_from("eu")

    def test_a_process_that_has_lost_its_lock_finishes_nothing(self):
        def lose(*_: object) -> None:
            TenantArtifact.objects.filter(kind__in=UNFINISHED).delete()

        lost = "Another process has worked on 'acme' in the meantime: run this again."
        for place, work in (
            (archive, self.archive),
            (relocate, lambda: relocate.move("acme", "eu")),
        ):
            with mock.patch.object(place, "seal", lose), self.assertRaisesMessage(TenantError, lost):
                work()
            self.assert_served_from("default")
        self.archive()
        with mock.patch.object(archive, "open_again", lose), self.assertRaisesMessage(TenantError, lost):
            archive.restore("acme")
        self.assertEqual(self.row().status, FleetStatus.ARCHIVED)

    def test_no_query_and_no_command_opens_the_database_of_an_archived_tenant(self):
        self.archive()
        for status in (FleetStatus.ARCHIVING, FleetStatus.ARCHIVED, FleetStatus.RESTORING, FleetStatus.MOVING):
            Tenant.objects.update(status=status)
            with self.subTest(status):
                with use_tenant("acme"), self.assertRaisesMessage(TenantUnavailableError, f"is {status}"):
                    DataPoint.objects.count()
                with self.assertRaisesMessage(CommandError, f"Cannot make the database of 'acme', which is {status}: "):
                    call_command("create_tenant", "acme", "--database", "acme")
                self.assert_closed(self.config())

    def test_a_second_process_that_works_on_the_same_tenant_is_refused(self):
        works = (
            self.archive,
            lambda: archive.verify("acme"),
            lambda: relocate.move_online("acme", "eu"),
            lambda: operations.cancel("acme", FleetStatus.MOVING),
            lambda: purge.purge(TenantArtifact(tenant=self.row())),
            lambda: credentials.rotate("acme"),
            lambda: credentials.retire("acme"),
        )
        for number, work in enumerate(works):
            busy = self.assertRaisesMessage(TenantError, "Another process works on")
            with self.subTest(number), tenant_lock(self.row()), busy:
                work()

    def test_a_refusal_because_of_the_status_says_what_to_do(self):
        self.archive()
        for work in (
            lambda: relocate.move("acme", "eu"),
            self.archive,
            lambda: operations.cancel("acme", FleetStatus.MOVING),
        ):
            with self.assertRaisesMessage(StateError, "which is archived: restore it first, with `restore_tenant`"):
                work()

    def test_what_could_not_be_undone_is_not_begun(self):
        with self.settings(TENANT_PASSWORD_KEYS=["a" * 43 + "="]), self.assertRaisesMessage(LookupError, "lacks"):
            self.archive()
        gone = {**self.servers["default"], "HOST": "127.0.0.1", "PORT": "1"}
        with self.settings(TENANT_SERVERS={**self.servers, "default": gone}), self.assertRaises(DatabaseError):
            self.archive()
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

    def test_a_drill_verifies_an_archive_and_says_so(self):
        with self.assertRaisesMessage(CommandError, "There is no archived tenant"):
            call_command("verify_archives")
        path = self.archive().path
        line = f"acme: {path} holds what it held when it was written\n"
        self.assertEqual((output("verify_archives"), output("verify_archives", "acme")), (line, line))
        self.assert_archived()
        TenantArtifact.objects.filter(kind=Kind.ARCHIVE).update(content='{"public.thing": "4 1"}')
        with self.assertRaisesMessage(CommandError, "does not hold what its source held"):
            call_command("verify_archives")
        # Neither the scratch database is left, nor a user that can log in.
        self.assert_archived()


class PurgeTests(FleetTestCase):
    def purge(self, *words: str) -> tuple[str, str]:
        """Return what the command prints, and its error."""
        stdout = StringIO()
        try:
            call_command("purge_archived_tenants", *words, stdout=stdout)
        except CommandError as error:
            return stdout.getvalue(), str(error)
        return stdout.getvalue(), ""

    def age(self) -> None:
        TenantArtifact.objects.update(created=timezone.now() - timedelta(days=31))

    def test_only_what_was_closed_long_ago_is_dropped(self):
        self.archive()
        self.assertEqual(self.purge("--older-than", "30d"), ("", ""))
        self.age()
        self.assertEqual(self.purge("--older-than", "32d"), ("", ""))
        name = self.source["NAME"]
        self.assertEqual(self.purge("--older-than", "30d", "--dry-run"), ("acme: would drop acme on default\n", ""))
        self.assertTrue(database_exists(self.source), name)
        self.assertEqual(self.purge("--older-than", "30d", "acme"), ("acme: dropped acme on default\n", ""))
        self.assertEqual((self.names_on("default"), len(self.archives())), ([], 1))
        # What other tests of this class have left is the owner's, too.
        self.assertEqual(self.roles() == {}, not self.all_names())
        archive.restore("acme")
        self.assert_served_from("default")
        self.assertEqual(self.purge("--older-than", "0d"), ("", ""))

    def test_without_its_file_or_with_another_one_it_is_kept(self):
        path = Path(self.archive().path)
        self.age()
        for spoil, reason in ((lambda: path.write_bytes(b"x"), "SHA-256 differs"), (path.unlink, "put the file back")):
            spoil()
            printed, error = self.purge("--older-than", "30d")
            self.assertIn(reason, printed)
            self.assertEqual(error, "1 of 1 databases were kept: acme")
            self.assertEqual(self.names_on("default"), ["acme"])

    def test_after_a_move_it_is_dropped_while_the_tenant_is_served_elsewhere(self):
        relocate.move("acme", "eu")
        self.age()
        present = self.row().connection_settings()
        self.sql("ALTER TABLE tenant_identity RENAME TO lost")
        self.assertIn("does not say that it is the tenant's", self.purge("--older-than", "30d")[0])
        self.sql("ALTER TABLE lost RENAME TO tenant_identity")
        closing.seal(self.row(), {**self.source, "NAME": present["NAME"]})
        self.assertIn("kept acme", self.purge("--older-than", "30d")[0])
        closing.open_again(self.row(), {**self.source, "NAME": present["NAME"]})
        self.assertEqual(self.purge("--older-than", "30d"), ("acme: dropped acme on default\n", ""))
        self.assert_served_from("eu")

    def test_the_database_that_is_served_is_never_dropped(self):
        TenantArtifact.objects.create(tenant=self.row(), kind=Kind.CLOSED, server="default", database="acme")
        self.age()
        self.assertIn("'acme' is the database of 'acme', which is active", self.purge("--older-than", "30d")[0])
        self.assertEqual(self.names_on("default"), ["acme"])

    def test_only_databases_of_the_named_tenants_are_dropped(self):
        self.archive()
        self.age()
        Tenant.objects.create(slug="horza", database="horza")
        self.assertEqual(self.purge("--older-than", "30d", "horza"), ("", ""))
        self.assertEqual(self.names_on("default"), ["acme"])

    def test_a_database_that_is_gone_already_and_ages_that_are_none(self):
        self.archive()
        self.age()
        drop_database(self.source)
        self.assertEqual(self.purge("--older-than", "0d")[1], "")
        for text in ("30", "d", "-1d", "1w", "", "1 d", "９d"):
            self.assertIn("is no age: write a number of days", self.purge(f"--older-than={text}")[1])
