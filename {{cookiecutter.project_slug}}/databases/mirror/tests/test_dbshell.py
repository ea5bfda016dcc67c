"""`dbshell` opens a read-only session on the mirror. The clients of the engines need not be installed here."""

import os
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.core.management.commands import dbshell as djangos
from django.test import SimpleTestCase

from databases.mirror.management.commands import dbshell

READ_ONLY = "-c default_transaction_read_only=on"


class DbshellTests(SimpleTestCase):
    def shell(self, vendor: str, database: str = "mirror", *, is_test: bool = False, pgoptions: str = "") -> Any:
        """Run the command with a word for the client. Returns the client's words, and its PGOPTIONS."""
        connection = mock.Mock(vendor=vendor)
        connection.client.runshell.side_effect = lambda words: found.append((words, os.environ["PGOPTIONS"]))
        found: list[Any] = []
        connections = {"mirror": connection, "default": connection}
        with (
            mock.patch.object(djangos, "connections", connections),
            mock.patch.object(dbshell, "connections", connections),
            mock.patch.object(dbshell, "is_test_database", return_value=is_test),
            mock.patch.dict(os.environ, PGOPTIONS=pgoptions),
        ):
            call_command("dbshell", "--", "-a", database=database)
            self.assertEqual(os.environ["PGOPTIONS"], pgoptions)
        return found[0]

    def test_the_session_on_the_mirror_is_read_only_on_every_engine(self):
        self.assertEqual(self.shell("sqlite")[0], ["-a", "-readonly"])
        self.assertEqual(self.shell("mysql")[0], ["-a", "--init-command=SET SESSION TRANSACTION READ ONLY"])
        self.assertEqual(self.shell("postgresql"), (["-a"], f" {READ_ONLY}"))

    def test_options_of_the_user_do_not_undo_it(self):
        off = "-c default_transaction_read_only=off"
        self.assertEqual(self.shell("postgresql", pgoptions=off)[1], f"{off} {READ_ONLY}")

    def test_other_databases_and_test_databases_have_djangos_shell(self):
        for vendor in ("sqlite", "mysql", "postgresql"):
            self.assertEqual(self.shell(vendor, "default"), (["-a"], ""))
            self.assertEqual(self.shell(vendor, is_test=True), (["-a"], ""))

    def test_an_engine_without_read_only_sessions_is_refused(self):
        with self.assertRaisesMessage(CommandError, "No dbshell on 'mirror': sessions on oracle"):
            self.shell("oracle")
