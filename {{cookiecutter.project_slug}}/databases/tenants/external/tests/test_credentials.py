"""`rotate_credentials`: stores the user and password that the owner of an external tenant's database gave."""

from __future__ import annotations

import os
import sys
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

from databases.tenants.credentials import passwords
from databases.tenants.external.credentials import store
from databases.tenants.models import Tenant
from databases.tenants.tests.test_lifecycle import HOSTILE


class RotateCredentialsTests(TestCase):
    """On SQLite, which accepts every user and password."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(folder.name) / "{name}.sqlite3")}
        servers = override_settings(TENANT_SERVERS={"default": server})
        servers.enable()
        self.addCleanup(servers.disable)
        Tenant.objects.create(slug="acme", database="acme", status=Tenant.Status.ACTIVE)

    def row(self) -> Tenant:
        return Tenant.objects.get(slug="acme")

    def rotate(self, *words: str, stdin: str = "") -> str:
        """Return what the command prints, with this text on its standard input."""
        stdout = StringIO()
        with mock.patch.object(sys, "stdin", StringIO(stdin)):
            call_command("rotate_credentials", "acme", "--user", "ann", *words, stdout=stdout)
        return stdout.getvalue()

    def test_a_password_from_standard_input_is_stored_encrypted(self):
        self.assertEqual(self.rotate(stdin="hunter2 with a space\n"), "acme: stored\n")
        row = self.row()
        self.assertEqual(row.user, "ann")
        self.assertNotIn("hunter2", f"{vars(row)}")
        self.assertEqual(passwords.reveal(row.password), "hunter2 with a space")

    def test_a_password_in_the_environment_is_stored_by_name(self):
        with mock.patch.dict(os.environ, {"ACME_PASSWORD": "hunter2"}):
            self.rotate("--password-env", "ACME_PASSWORD")
            self.assertEqual(self.row().connection_settings()["PASSWORD"], "hunter2")
        self.assertEqual(self.row().password, "env:ACME_PASSWORD")

    def test_a_missing_variable_is_refused_and_nothing_changes(self):
        with self.assertRaisesMessage(CommandError, "The environment variable ACME_PASSWORD"):
            self.rotate("--password-env", "ACME_PASSWORD")
        self.assertEqual((self.row().user, self.row().password), ("", ""))

    def test_invalid_users_and_variables_are_refused(self):
        for word in ("", "x\0", "x\ny", "x" * 300):
            with self.subTest(word), self.assertRaisesMessage(ValueError, "cannot be the name of a database user"):
                store("acme", word, "p")
        for word in [word for word in HOSTILE if word and not word.isalpha()]:
            with self.subTest(word), self.assertRaisesMessage(ValueError, "cannot be the name of an environment"):
                store("acme", "ann", variable=word)
