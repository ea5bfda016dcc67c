"""Users and passwords of tenants: how they are stored, how their keys are replaced, and that they show nowhere."""

from __future__ import annotations

import os
import uuid
from io import StringIO
from unittest import mock

from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import reverse

from databases.tenants import registry_cache
from databases.tenants.credentials import passwords, store
from databases.tenants.leases import opened
from databases.tenants.models import Tenant
from databases.tenants.states import StateError
from databases.tenants.tests.many_tenants import ManyTenantsTestCase, ask
from databases.tenants.tests.site import make_superuser, own_site
from databases.tenants.tests.test_secrets import ReportTestCase
from databases.tenants.tests.two_tenants import in_thread

HIDDEN = "hunter2-of-the-tenant"


def output(*words: str) -> str:
    """Return what a command prints."""
    stdout = StringIO()
    call_command(*words, stdout=stdout)
    return stdout.getvalue()


def new_key() -> str:
    return Fernet.generate_key().decode()


class PasswordTests(SimpleTestCase):
    def test_a_password_is_stored_encrypted(self):
        kept = passwords.encrypt(HIDDEN)
        self.assertNotIn(HIDDEN, kept)
        self.assertEqual(passwords.reveal(kept), HIDDEN)

    def test_a_password_may_be_the_name_of_a_variable(self):
        with mock.patch.dict(os.environ, {"ACME_PASSWORD": HIDDEN}):
            self.assertEqual(passwords.reveal("env:ACME_PASSWORD"), HIDDEN)
        with self.assertRaisesMessage(LookupError, "The environment variable ACME_PASSWORD"):
            passwords.reveal("env:ACME_PASSWORD")

    def test_a_missing_key_is_an_error_that_shows_nothing(self):
        kept = passwords.encrypt(HIDDEN)
        other = override_settings(TENANT_PASSWORD_KEYS=[new_key()])
        with other, self.assertRaisesMessage(LookupError, "TENANT_PASSWORD_KEYS lacks: add it at the end") as refusal:
            passwords.reveal(kept)
        self.assertIsNone(refusal.exception.__cause__)
        self.assertTrue(refusal.exception.__suppress_context__)
        with override_settings(TENANT_PASSWORD_KEYS=[]), self.assertRaisesMessage(LookupError, "is not set"):
            passwords.reveal(kept)


class KeyRotationTests(TestCase):
    def setUp(self):
        self.old, self.new = new_key(), new_key()
        with override_settings(TENANT_PASSWORD_KEYS=[self.old]):
            self.kept = passwords.encrypt(HIDDEN)
        Tenant.objects.create(slug="acme", database="acme", user="ann", password=self.kept)

    def test_passwords_are_encrypted_with_the_first_key(self):
        Tenant.objects.create(slug="horza", database="horza", user="bob", password="env:PATH")
        Tenant.objects.create(slug="umbrella", database="umbrella")
        with override_settings(TENANT_PASSWORD_KEYS=[self.new, self.old]):
            lines = output("rotate_tenant_keys").splitlines()
        self.assertEqual(lines, ["[1/3] acme: done", "[2/3] horza: done", "[3/3] umbrella: done"])
        with override_settings(TENANT_PASSWORD_KEYS=[self.new]):
            self.assertEqual(passwords.reveal(Tenant.objects.get(slug="acme").password), HIDDEN)
        others = Tenant.objects.exclude(slug="acme").values_list("password", flat=True)
        self.assertEqual(list(others), ["env:PATH", ""])

    def test_a_password_without_its_key_is_kept_and_reported(self):
        stdout = StringIO()
        lost = override_settings(TENANT_PASSWORD_KEYS=[self.new])
        with lost, self.assertRaisesMessage(CommandError, "1 of 1 tenants failed: acme"):
            call_command("rotate_tenant_keys", stdout=stdout)
        self.assertIn("add it at the end", stdout.getvalue())
        self.assertEqual(Tenant.objects.get().password, self.kept)

    def test_a_password_changed_meanwhile_is_not_put_back(self):
        tenant = Tenant.objects.get()
        with override_settings(TENANT_PASSWORD_KEYS=[self.new, self.old]):
            newer = passwords.encrypt("newer")
            Tenant.objects.update(password=newer)
            store.renew_keys(tenant)
        self.assertEqual(Tenant.objects.get().password, newer)


class StoreTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="acme", database="acme", status=Tenant.Status.ACTIVE)
        self.connection = mock.Mock()
        override = mock.patch.object(store, "maintenance_connection", mock.MagicMock())
        override.start().return_value.__enter__.return_value = self.connection
        self.addCleanup(override.stop)

    def row(self) -> tuple[str, str]:
        row = Tenant.objects.get()
        return row.user, row.password

    def test_credentials_are_stored_after_the_server_accepted_them(self):
        kept = passwords.encrypt(HIDDEN)
        store.replace(self.tenant, "ann", kept)
        self.connection.ensure_connection.assert_called_once_with()
        self.assertEqual(self.row(), ("ann", kept))

    def test_credentials_that_the_server_refuses_are_not_stored(self):
        self.connection.ensure_connection.side_effect = OperationalError("no such user")
        with self.assertRaises(OperationalError):
            store.replace(self.tenant, "ann", passwords.encrypt(HIDDEN))
        self.assertEqual(self.row(), ("", ""))

    def test_a_row_that_was_changed_meanwhile_is_not_overwritten(self):
        self.connection.ensure_connection.side_effect = lambda: Tenant.objects.update(user="bob")
        with self.assertRaisesMessage(ValueError, "was changed by another process"):
            store.replace(self.tenant, "ann", passwords.encrypt(HIDDEN))
        self.assertEqual(self.row(), ("bob", ""))

    def test_a_pending_tenant_is_refused(self):
        Tenant.objects.update(status=Tenant.Status.PENDING)
        with self.assertRaises(StateError):
            store.replace(Tenant.objects.get(), "ann", passwords.encrypt(HIDDEN))
        self.assertEqual(self.row(), ("", ""))


class ConnectionTests(ManyTenantsTestCase):
    def test_a_new_password_takes_effect_with_the_next_request(self):
        (alias,) = self.register(1)
        before, ours = self.tenants["number-0"], ask(alias)
        # Without a user the password is not used, so every server accepts it.
        values = {"uid": before.uid, "database": before.database, "password": "env:PATH"}
        self.tenants["number-0"] = Tenant(slug="number-0", status="active", **values).info
        self.assertIsNot(in_thread(lambda: ask(alias)), ours)
        # Whatever reads now, may finish.
        self.assertIs(ask(alias), ours)
        opened.give_back()
        self.assertIsNot(ask(alias), ours)

    def test_a_new_user_or_password_needs_a_new_connection(self):
        uid = uuid.uuid4()
        rows = ({}, {"user": "ann"}, {"user": "ann", "password": "env:PATH"})
        keys = {Tenant(slug="acme", uid=uid, database="acme", **values).info.connection_key for values in rows}
        self.assertEqual(len(keys), 3)


@own_site
class HiddenTests(TestCase):
    def test_the_admin_and_the_list_show_no_users_and_passwords(self):
        tenant = Tenant.objects.create(slug="acme", database="acme", user="user_of_acme", password=f"fernet:{HIDDEN}")
        self.client.force_login(make_superuser())
        texts = [
            output("list_tenants"),
            output("list_tenants", "--json"),
            self.client.get(reverse("admin:tenants_tenant_changelist")).content.decode(),
            self.client.get(reverse("admin:tenants_tenant_change", args=[tenant.pk])).content.decode(),
        ]
        for text in texts:
            self.assertIn("acme", text)
            self.assertNotIn(HIDDEN, text)
            self.assertNotIn("user_of_acme", text)

    def test_the_host_form_does_not_undo_a_rotation(self):
        tenant = Tenant.objects.create(slug="acme", database="acme", user="old", password="env:OLD")
        self.client.force_login(make_superuser())
        page = reverse("admin:tenants_tenant_change", args=[tenant.pk])
        with mock.patch("databases.tenants.admin.refuse_host", side_effect=rotate):
            self.assertEqual(self.client.post(page, {"host": "shop"}).status_code, 302)
        row = Tenant.objects.get()
        self.assertEqual((row.host, row.user, row.password), ("shop", "new", "env:NEW"))


def rotate(slug: str, host: str) -> None:
    """Change the credentials as another process does, after the form has read its row."""
    Tenant.objects.filter(slug=slug).update(user="new", password="env:NEW")
    registry_cache.cache.forget(slug)


class ReportTests(ReportTestCase):
    def test_reports_of_failed_connections_hide_the_tenants_password(self):
        text = self.reports(Tenant(slug="acme", database="acme", user="bob", password=passwords.encrypt(HIDDEN)))
        self.assertIn("ensure_connection", text)
        self.assertNotIn(HIDDEN, text)
