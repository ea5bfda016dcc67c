"""`rotate_credentials`: a line for each tenant says what has become of it."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.test import TestCase, override_settings

from databases.fleet import credentials, roles
from databases.fleet.states import FleetStatus
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.models import Tenant
from databases.tenants.registry import find
from databases.tenants.states import TenantError

SLUGS = ("acme", "chell", "horza")


class RotationTests(TestCase):
    """Nothing is done on a server: `test_roles` does that."""

    def setUp(self):
        self.let_in, self.shut_out = mock.Mock(), mock.Mock()
        for change in (
            mock.patch.object(credentials, "server_cursor", mock.MagicMock()),
            mock.patch.object(roles, "let_in", self.let_in),
            mock.patch.object(roles, "shut_out", self.shut_out),
            mock.patch.object(credentials, "replace"),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        for slug in SLUGS:
            tenant = Tenant.objects.create(slug=slug, database=slug, status=Tenant.Status.ACTIVE)
            Tenant.objects.filter(slug=slug).update(user=roles.users_of(tenant)[0], password="x")

    def rotate(self) -> list[str]:
        stdout = StringIO()
        self.failure = ""
        try:
            call_command("rotate_credentials", *SLUGS, stdout=stdout)
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue().splitlines()

    def test_each_is_reported_when_it_is_done(self):
        self.assertEqual(self.rotate(), [f"[{n}/3] {slug}: done" for n, slug in enumerate(SLUGS, 1)])
        self.assertEqual((self.let_in.call_count, self.shut_out.call_count, self.failure), (3, 3, ""))

    def test_no_other_process_works_on_the_tenants_meanwhile(self):
        def others() -> None:
            other = connections["default"].copy()
            self.addCleanup(other.close)
            with mock.patch("databases.tenants.managed.locks.connection", other):
                for slug in SLUGS:
                    with self.assertRaisesMessage(TenantError, "Another process works on"), tenant_lock(find(slug)):
                        pass
            seen.append(True)

        seen: list[bool] = []
        with mock.patch.object(credentials, "wait_for_caches", others):
            self.rotate()
        self.assertEqual((seen, self.failure), ([True], ""))

    def test_a_failure_before_or_after_the_change_says_why(self):
        self.let_in.side_effect = lambda cursor, user, password: self.fail_for(user, "acme", "no right to create users")
        self.shut_out.side_effect = lambda cursor, user: self.fail_for(user, "chell", "the server is gone")
        first, second, third = self.rotate()
        self.assertEqual(first, "[1/3] acme: failed: no right to create users")
        self.assertIn("[2/3] chell: failed: 'tenant_", second)
        self.assertIn("its previous user, can still log in: run this again. the server is gone", second)
        self.assertEqual(third, "[3/3] horza: done")
        self.assertEqual(self.failure, "2 of 3 tenants failed: acme, chell")

    def fail_for(self, user: str, slug: str, reason: str) -> None:
        if user in roles.users_of(Tenant.objects.get(slug=slug)):
            raise DatabaseError(reason)

    def test_a_tenant_that_is_archived_or_moving_is_refused(self):
        for status, way_out in ((FleetStatus.ARCHIVED, "restore it first"), (FleetStatus.MOVING, "run `move_tenant`")):
            Tenant.objects.filter(slug="acme").update(status=status)
            self.assertIn(f"Cannot change the credentials of 'acme', which is {status}: {way_out}", self.rotate()[0])

    def test_an_unknown_tenant_stops_it_before_it_begins(self):
        with self.assertRaisesMessage(CommandError, "There is no tenant 'unknown'"):
            call_command("rotate_credentials", "acme", "unknown")
        self.let_in.assert_not_called()


class UnreachableServerTests(TestCase):
    def test_nothing_is_stored(self):
        nowhere = {"ENGINE": "django.db.backends.postgresql", "NAME": "{name}", "HOST": "127.0.0.1", "PORT": "1"}
        Tenant.objects.create(slug="acme", database="acme", status=Tenant.Status.ACTIVE, user="u", password="p")
        with override_settings(TENANT_SERVERS={"default": nowhere}), self.assertRaises(CommandError):
            call_command("rotate_credentials", "acme", stdout=StringIO())
        row = Tenant.objects.get(slug="acme")
        self.assertEqual((row.user, row.password), ("u", "p"))
