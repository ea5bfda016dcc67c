"""Templates on a PostgreSQL server: built once, copied for each run, and dropped when no run uses them any more."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, connections
from django.test import SimpleTestCase

from databases.environment import PROJECT
from databases.testing import cleaning, server, templates
from databases.testing.server import Server
from databases.tests import production

DIGEST = "0123456789"
OTHER_DIGEST = "9876543210"


class Creation:
    """Stands in for Django's creation object of an alias, in a project of this test. Migrating makes one database."""

    def __init__(self, project: str, alias: str, run: str, digest: str = DIGEST) -> None:
        self.connection = connections["default"].copy()
        self.connection.inc_thread_sharing()
        self.name, self.template = f"{project}{alias}_{run}", f"{alias}_t{digest}"
        self.digest, self.run = digest, run
        self.migrated = 0
        self.is_current = lambda: True

    def _get_test_db_name(self) -> str:
        return self.name

    def _nodb_cursor(self):
        return self.connection._nodb_cursor()

    def migrate(self, **options) -> str:
        self.migrated += 1
        with self._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{self.name}"')
        return self.name


class TemplateDatabaseTests(SimpleTestCase):
    databases = {"default"}

    def setUp(self):
        self.project = f"test_{uuid.uuid4().hex[:8]}_"
        self.addCleanup(self.drop_all)
        # At once, instead of in another process.
        patch = mock.patch.object(cleaning, "start", cleaning.drop_unlocked)
        self.start = patch.start()
        self.addCleanup(patch.stop)

    @contextmanager
    def cursor(self):
        with connections["default"].copy()._nodb_cursor() as cursor:
            yield cursor

    def names(self) -> list[str]:
        """Return the databases of the test's project, without what their names begin with."""
        with self.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database ORDER BY 1")
            names = [name for (name,) in cursor.fetchall()]
        return [name.removeprefix(self.project) for name in names if name.startswith(self.project)]

    def drop_all(self) -> None:
        self.drop_unlocked(*(self.project + name for name in self.names()))

    def creation(self, run: str = "r00000001", alias: str = "primary", digest: str = DIGEST) -> Creation:
        return Creation(self.project, alias, run, digest)

    def run_of(self, *creations: Creation) -> Server:
        """Return the started run of these aliases. The test must `end` or `kill` it."""
        started = Server(creations[0], creations[0].run, creations[0].digest)
        self.addCleanup(started.session.close)
        started.make([*creations], verbosity=0)
        return started

    def kill(self, run: Server) -> None:
        """End the session of a run as the end of its process does, and wait until the server has noticed."""
        pid = run.cursor.connection.info.backend_pid
        run.session.close()
        self.wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", pid)

    def wait_until(self, query: str, *parameters) -> None:
        deadline = time.monotonic() + 60
        with self.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(query, parameters)
                if cursor.fetchone()[0]:
                    return
        self.fail(f"This did not become true within a minute: {query}")

    def test_a_template_is_built_once_and_copied_for_each_run(self):
        first, second = self.creation(), self.creation("r00000002")
        self.run_of(first).end()
        self.assertEqual(self.names(), [f"primary_t{DIGEST}"])
        run = self.run_of(second)
        self.assertEqual(self.names(), ["primary_r00000002", f"primary_t{DIGEST}"])
        self.assertEqual((first.migrated, second.migrated), (1, 0))
        run.end()
        self.assertEqual(self.names(), [f"primary_t{DIGEST}"])

    def test_all_aliases_of_a_role_share_a_template(self):
        creations = [self.creation(alias=alias) for alias in ("tenant_a", "tenant_b", "primary")]
        for creation in creations[:2]:
            creation.template = f"tenant_t{DIGEST}"
        self.run_of(*creations)
        self.assertEqual([each.migrated for each in creations], [1, 0, 1])
        self.assertIn("tenant_b_r00000001", self.names())

    def test_changed_sources_have_another_template_and_the_old_one_is_dropped(self):
        self.run_of(self.creation()).end()
        changed = self.creation("r00000002", digest=OTHER_DIGEST)
        self.run_of(changed).end()
        self.assertEqual(changed.migrated, 1)
        self.assertEqual(self.names(), [f"primary_t{OTHER_DIGEST}"])

    def test_a_template_is_dropped_after_the_run_if_a_source_changed_while_it_was_built(self):
        changed = self.creation()
        changed.is_current = lambda: False
        other = self.creation(alias="tenant_a")
        other.template = changed.template
        run = self.run_of(changed, other)
        self.assertEqual((changed.migrated, other.migrated), (1, 0))
        self.assertNotIn(f"primary_t{DIGEST}", self.names())
        self.assertIn("tenant_a_r00000001", self.names())
        run.end()
        self.assertEqual(self.names(), [])

    def test_a_killed_build_leaves_no_template_and_the_next_run_starts(self):
        class Killed(Creation):
            def migrate(self, **options) -> str:
                super().migrate()
                raise KeyboardInterrupt

        killed = Killed(self.project, "primary", "r00000001")
        run = Server(killed, killed.run, DIGEST)
        with self.assertRaises(KeyboardInterrupt):
            run.make([killed], verbosity=0)
        self.assertEqual(self.names(), ["primary_r00000001"])
        self.kill(run)
        following = self.creation("r00000002")
        self.run_of(following)
        self.assertEqual(following.migrated, 1)
        self.assertEqual(self.names(), ["primary_r00000002", f"primary_t{DIGEST}"])

    def test_the_next_run_drops_what_a_killed_run_has_left(self):
        self.kill(self.run_of(self.creation()))
        self.assertEqual(len(self.names()), 2)
        self.run_of(self.creation("r00000002"))
        self.assertEqual(self.names(), ["primary_r00000002", f"primary_t{DIGEST}"])

    def test_runs_at_the_same_time_keep_their_databases_and_templates(self):
        first = self.run_of(self.creation())
        second = self.run_of(self.creation("r00000002", digest=OTHER_DIGEST))
        in_use = ["primary_r00000001", "primary_r00000002", f"primary_t{DIGEST}", f"primary_t{OTHER_DIGEST}"]
        self.assertEqual(self.names(), in_use)
        first.end()
        self.assertEqual(self.names(), in_use[1:])
        second.end()
        self.assertEqual(self.names(), in_use[3:])

    def test_of_two_runs_that_start_together_one_builds_and_the_other_waits(self):
        together = threading.Barrier(2)

        class Looking(Server):
            def _build(self, creation, verbosity):
                together.wait(timeout=60)
                super()._build(creation, verbosity)

        creations = [self.creation(f"r0000000{number}") for number in (1, 2)]
        runs = [Looking(each, each.run, DIGEST) for each in creations]
        threads = [
            threading.Thread(target=run.make, args=([creation], 0))
            for run, creation in zip(runs, creations, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.names(), ["primary_r00000001", "primary_r00000002", f"primary_t{DIGEST}"])
        self.assertEqual(sum(each.migrated for each in creations), 1)
        for run in runs:
            run.end()

    def test_waiting_for_a_build_has_a_limit(self):
        def meanwhile():
            with mock.patch.object(server, "BUILDING", "1ms"), self.assertRaises(OperationalError):
                self.run_of(self.creation("r00000002"))
            # A run of other sources does not wait.
            with mock.patch.object(server, "BUILDING", "10s"):
                self.run_of(self.creation("r00000003", digest=OTHER_DIGEST)).end()

        class Building(Creation):
            def migrate(self, **options) -> str:
                meanwhile()
                return super().migrate()

        self.run_of(Building(self.project, "primary", "r00000001"))
        self.assertIn(f"primary_t{DIGEST}", self.names())

    def test_a_run_whose_session_the_server_has_ended_ends_without_an_error(self):
        run = self.run_of(self.creation())
        pid = run.cursor.connection.info.backend_pid
        self.wait_until("SELECT pg_terminate_backend(%s)", pid)
        self.wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", pid)
        run.end()
        self.assertIn("primary_r00000001", self.names())

    def test_a_database_that_cannot_be_dropped_does_not_keep_the_others(self):
        self.run_of(self.creation())
        self.drop_unlocked(f"{self.project}missing", f"{self.project}primary_r00000001")
        self.assertEqual(self.names(), [f"primary_t{DIGEST}"])

    def test_a_database_is_dropped_although_a_killed_run_has_left_a_session(self):
        self.run_of(self.creation())
        connection = connections["default"].copy()
        connection.settings_dict = {**connection.settings_dict, "NAME": f"{self.project}primary_r00000001"}
        self.addCleanup(connection.close)
        connection.ensure_connection()
        self.drop_unlocked(f"{self.project}primary_r00000001")
        self.assertEqual(self.names(), [f"primary_t{DIGEST}"])

    def drop_unlocked(self, *names: str) -> None:
        with self.cursor() as cursor:
            info = cursor.connection.info
            # Another process may run another of these tests, with another lock.
            lock = str(uuid.uuid4().int >> 65)
            cleaning.drop_unlocked(f"{info.dsn} password='{info.password}'", {lock: [*names]})

    def test_a_database_that_cannot_be_copied_is_named(self):
        self.run_of(self.creation())
        with self.assertRaisesMessage(CommandError, 'primary_r00000001" already exists'):
            self.run_of(self.creation())

    def test_nobody_can_change_a_template(self):
        self.run_of(self.creation())
        connection = connections["default"].copy()
        connection.settings_dict = {**connection.settings_dict, "NAME": f"{self.project}primary_t{DIGEST}"}
        self.addCleanup(connection.close)
        with self.assertRaisesMessage(OperationalError, "not currently accepting connections"):
            connection.ensure_connection()


class ServerTests(SimpleTestCase):
    """What Django's creation objects have made on a server."""

    databases = {"default"}

    def creation(self, run: templates.Run, **changed) -> templates.TemplateCreation:
        """Return the creation object of a database like the primary, with other settings."""
        connection = connections["default"].copy(alias="another")
        connection.settings_dict = {**connection.settings_dict, **changed}
        run.digest = DIGEST
        return type("Creation", (templates.TemplateCreation, connection.creation_class), {"run": run})(connection)

    def test_databases_on_one_server_are_made_together(self):
        run = templates.Run()
        test = {**connections["default"].settings_dict["TEST"], "NAME": "test_01234567_another"}
        creations = [self.creation(run, TEST=test, HOST=host) for host in ("one", "two", "one")]
        run.wanted = {str(number): creation for number, creation in enumerate(creations)}
        with mock.patch.object(templates, "Server") as servers:
            servers.return_value.make.side_effect = [{"a", "c"}, {"b"}]
            run.make(verbosity=0)
        made = [call.args[0] for call in servers.return_value.make.call_args_list]
        self.assertEqual(made, [[creations[0], creations[2]], [creations[1]]])
        self.assertEqual(run.made, {"a", "b", "c"})

    def test_django_makes_and_drops_a_database_with_a_name_of_yours(self):
        run, name = templates.Run(), f"mine_{uuid.uuid4().hex[:8]}"
        creation = self.creation(run, TEST={**connections["default"].settings_dict["TEST"], "NAME": name})
        creation.test_db_signature()
        run.make(verbosity=0)
        self.assertEqual(run.servers, [])
        with creation._nodb_cursor() as cursor:
            creation._create_test_db(verbosity=0, autoclobber=True)
            self.assertTrue(creation._database_exists(cursor, name))
            creation._destroy_test_db(name, verbosity=0)
            self.assertFalse(creation._database_exists(cursor, name))

    def test_a_user_who_cannot_create_databases_gets_one_sentence(self):
        options = {**connections["default"].settings_dict["OPTIONS"], "options": "-c default_transaction_read_only=on"}
        creation = self.creation(templates.Run(), OPTIONS=options)
        expected = "database of 'another' cannot be made.*: cannot execute CREATE DATABASE in a read-only transaction"
        with mock.patch.object(creation, "log"), self.assertRaisesRegex(CommandError, expected) as caught:
            creation._create_test_db(verbosity=0, autoclobber=True)
        self.assertTrue(caught.exception.__suppress_context__)

    def test_without_its_server_a_run_ends_with_one_sentence_and_no_password(self):
        url = "postgresql://ann:s3cret@127.0.0.1:9/db"
        with TemporaryDirectory() as folder:
            file = Path(folder, "test_database.py")
            file.write_text("def test(db): pass")
            options = ("-p", "databases.testing.plugin", f"--ds={settings.SETTINGS_MODULE}", "--showlocals")
            process = production.python("-m", "pytest", *options, str(file), DATABASE_URL=url)
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertRegex(process.stdout, "CommandError: The test database of 'default' cannot be made.*port 9 failed")
        self.assertNotIn("s3cret", process.stdout + process.stderr)
        process = production.command("test", "databases.tests.test_atomic", DATABASE_URL=url)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(process.stderr, "CommandError: The test database of 'default' cannot be made.*port 9 failed")
        self.assertNotIn("Traceback", process.stderr)
        self.assertNotIn("s3cret", process.stdout + process.stderr)


class ProcessTests(SimpleTestCase):
    databases = {"default"}

    def test_another_process_drops_what_is_not_locked(self):
        name = f"test_{uuid.uuid4().hex[:8]}_primary_r00000001"
        with connections["default"].copy()._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
            info = cursor.connection.info
            cleaning.start(f"{info.dsn} password='{info.password}'", {"1": [name]})
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if not cursor.fetchone():
                    return
        self.fail(f"The database {name} was not dropped within a minute.")

    def test_whoever_reads_the_output_of_a_run_does_not_wait_for_it(self):
        # A server that never answers, so that the process does not end.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            code = "import sys; from databases.testing import cleaning; cleaning.start(sys.argv[1], {})"
            conninfo = f"host=127.0.0.1 port={silent.getsockname()[1]} sslmode=disable gssencmode=disable"
            words = [sys.executable, "-W", "always", "-c", code, conninfo]
            process = subprocess.run(words, cwd=PROJECT, capture_output=True, check=True, timeout=60)
            # No warning about a process that nothing waits for.
            self.assertEqual(process.stderr, b"")
            with silent.accept()[0] as connection:
                self.assertTrue(connection.recv(1000))
                self.assertEqual(select.select([connection], [], [], 0)[0], [], "The process has ended.")
