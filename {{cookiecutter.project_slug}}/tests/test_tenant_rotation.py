"""Rotating the credentials of several tenants: one line for each, which says what really became of it."""

from __future__ import annotations

import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import TestCase, override_settings

from databases.models import Tenant
from databases.tenants import server_users


class RotationTests(TestCase):
    """On SQLite files, which have no users: what would be done on a server is noted, and fails where it is told."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(folder.name) / "{name}.sqlite3")}
        self.install, self.retire = mock.Mock(), mock.Mock()
        for change in (
            override_settings(TENANT_SERVERS={"default": server}),
            mock.patch.object(server_users, "install", self.install),
            mock.patch.object(server_users, "retire", self.retire),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        for slug in ("acme", "chell", "horza"):
            Tenant.objects.create(slug=slug, database=slug, status=Tenant.Status.ACTIVE)

    def rotate(self) -> list[str]:
        stdout = StringIO()
        self.failure = ""
        try:
            call_command("rotate_credentials", "acme", "chell", "horza", stdout=stdout)
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue().splitlines()

    def test_each_is_reported_once_it_is_done(self):
        self.assertEqual(
            self.rotate(), [f"[{n}/3] {slug}: done" for n, slug in enumerate(("acme", "chell", "horza"), 1)]
        )
        self.assertEqual((self.install.call_count, self.retire.call_count, self.failure), (3, 3, ""))

    def test_what_fails_before_or_after_the_change_says_why(self):
        self.install.side_effect = lambda tenant, *rest: self.fail_for(tenant, "acme", "no right to make users")
        self.retire.side_effect = lambda tenant, *rest: self.fail_for(tenant, "chell", "the server is gone")
        first, second, third = self.rotate()
        self.assertEqual(first, "[1/3] acme: failed: no right to make users")
        self.assertIn("[2/3] chell: failed: 'tenant_", second)
        self.assertIn("its user before, can still log in: run this again. the server is gone", second)
        self.assertEqual(third, "[3/3] horza: done")
        self.assertEqual(self.failure, "2 of 3 tenants failed: acme, chell")

    def fail_for(self, tenant: Tenant, slug: str, reason: str) -> None:
        if tenant.slug == slug:
            raise DatabaseError(reason)
