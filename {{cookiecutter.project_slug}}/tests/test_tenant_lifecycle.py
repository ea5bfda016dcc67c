"""What happens to tenants in the registry: statuses and the way from one to the next, hosts, users and passwords."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

from databases.models import Tenant
from databases.tenants import UnknownTenantError, credentials, passwords, states
from databases.tenants.lifecycle import create_tenant, rename_tenant
from databases.tenants.states import ACTIONS, WAYS_OUT, StateError, change, resume, suspend

Status = Tenant.Status

#: What no slug, host, server, user or database of anybody's is called, and what might do harm where it is not quoted.
HOSTILE = (
    "x'; DROP TABLE y; --",
    'x"; DROP TABLE y; --',
    "x`y",
    "x/*y*/",
    "x\\",
    "x\n",
    "x\ny",
    "x\0",
    "x;y",
    "x%s",
    "{name}",
    "é",
    "x\u202ey",
    "..",
    "../x",
    "/x",
    "-x",
    "",
    "x" * 300,
)


def output(*words: str, **options: object) -> str:
    """Return what a command prints."""
    stdout = StringIO()
    call_command(*words, stdout=stdout, **options)
    return stdout.getvalue()


class StateTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)

    def put(self, status: str) -> None:
        Tenant.objects.filter(slug="acme").update(status=status)

    def status(self) -> str:
        return Tenant.objects.get(slug="acme").status

    def test_every_action_starts_from_the_statuses_in_the_table_and_from_no_other(self):
        for action, (before, after) in ACTIONS.items():
            for status in Status.values:
                with self.subTest(action, status=status):
                    self.put(status)
                    if status in before:
                        self.assertEqual(change("acme", action).status, after)
                    else:
                        with self.assertRaisesMessage(StateError, f"which is {status}: {WAYS_OUT[status]}."):
                            change("acme", action)
                        self.assertEqual(self.status(), status)

    def test_what_another_process_did_in_between_is_not_undone(self):
        """Two that both saw the tenant active: the row is compared by the statement that changes it."""
        first = states.find("acme")
        self.put(Status.PENDING)
        self.assertEqual(first.status, Status.ACTIVE)
        with self.assertRaises(StateError):
            suspend(first.slug)
        self.assertEqual(self.status(), Status.PENDING)

    def test_suspending_and_resuming_may_be_repeated(self):
        for _ in range(2):
            self.assertEqual(output("suspend_tenant", "acme"), "acme: suspended\n")
        for _ in range(2):
            self.assertEqual(output("resume_tenant", "acme"), "acme: active\n")

    def test_a_refusal_is_one_line_that_says_what_to_do(self):
        self.put(Status.PENDING)
        with self.assertRaisesMessage(CommandError, "acme: Cannot suspend 'acme', which is pending: make its database"):
            output("suspend_tenant", "acme")
        with self.assertRaisesMessage(CommandError, "nobody: There is no tenant 'nobody'"):
            output("resume_tenant", "nobody")

    def test_pages_of_a_suspended_tenant_answer_503_until_it_is_resumed(self):
        suspend("acme")
        response = self.client.get("/data-points/", headers={"host": "acme.testserver"})
        self.assertEqual((response.status_code, response["Retry-After"].isdigit()), (503, True))
        self.assertEqual(resume("acme").status, Status.ACTIVE)

    def test_hostile_slugs_are_unknown_and_nothing_else(self):
        for slug in HOSTILE:
            with self.subTest(slug), self.assertRaises((UnknownTenantError, ValueError)):
                suspend(slug)
        self.assertEqual(self.status(), Status.ACTIVE)


class ListTests(TestCase):
    def setUp(self):
        Tenant.objects.create(slug="acme", database="a", status=Status.ACTIVE, user="u", password="fernet:hunter2")
        Tenant.objects.create(slug="horza", database="h", status=Status.SUSPENDED)

    def test_one_status_alone(self):
        self.assertEqual(output("list_tenants", "--status", "suspended"), "horza\tsuspended\tdefault\th\thorza\n")

    def test_json_without_credentials(self):
        text = output("list_tenants", "--json")
        self.assertEqual([row["slug"] for row in json.loads(text)], ["acme", "horza"])
        self.assertNotIn("hunter2", text)


class RenameTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)
        Tenant.objects.create(slug="horza", host="vavatch", database="horza", status=Status.ACTIVE)

    def host(self) -> str:
        return Tenant.objects.get(slug="acme").host

    def test_the_host_alone_changes_and_may_change_back(self):
        for host in ("umbrella", "umbrella", "acme"):
            self.assertEqual(output("rename_tenant", "acme", host), f"acme: its host is {host}\n")
            row = Tenant.objects.get(slug="acme")
            self.assertEqual((row.host, row.alias, row.database), (host, "tenant_acme", "acme"))

    def test_the_host_or_slug_of_another_tenant_is_refused(self):
        for host in ("vavatch", "horza"):
            with self.subTest(host), self.assertRaisesMessage(ValueError, "is that of the tenant 'horza', or its slug"):
                rename_tenant("acme", host)
        self.assertEqual(self.host(), "acme")

    def test_a_host_taken_at_the_same_moment_is_refused_by_the_database(self):
        unnoticed = mock.patch("databases.tenants.lifecycle._refuse_taken_host")
        with unnoticed, self.assertRaisesMessage(ValueError, "The host 'vavatch' is another tenant's"):
            rename_tenant("acme", "vavatch")
        self.assertEqual(self.host(), "acme")

    def test_a_new_tenant_does_not_get_a_host_that_another_has(self):
        with self.assertRaisesMessage(ValueError, "The host 'vavatch' is that of the tenant 'horza'"):
            create_tenant("vavatch")

    def test_what_cannot_be_a_host(self):
        for host in (*HOSTILE, "Acme", "x.y", "x" * 42):
            with self.subTest(host), self.assertRaisesMessage(ValueError, "cannot be a tenant's slug"):
                rename_tenant("acme", host)
        self.assertEqual(self.host(), "acme")


class CredentialsTests(TestCase):
    """On SQLite, which lets everybody in: what is stored, and how."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(folder.name) / "{name}.sqlite3")}
        servers = override_settings(TENANT_SERVERS={"default": server})
        servers.enable()
        self.addCleanup(servers.disable)
        Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)

    def row(self) -> Tenant:
        return Tenant.objects.get(slug="acme")

    def store(self, *words: str, stdin: str = "") -> str:
        with mock.patch.object(sys, "stdin", StringIO(stdin)):
            return output("rotate_credentials", "acme", "--user", "ann", *words)

    def test_a_password_from_standard_input_is_stored_encrypted(self):
        self.assertEqual(self.store(stdin="hunter2 with a space\n"), "acme: stored\n")
        row = self.row()
        self.assertEqual(row.user, "ann")
        self.assertNotIn("hunter2", f"{vars(row)}")
        self.assertEqual(passwords.reveal(row.password), "hunter2 with a space")

    def test_a_password_in_the_environment_is_stored_by_name(self):
        with mock.patch.dict(os.environ, {"ACME_PASSWORD": "hunter2"}):
            self.store("--password-env", "ACME_PASSWORD")
            self.assertEqual(self.row().connection_settings()["PASSWORD"], "hunter2")
        self.assertEqual(self.row().password, "env:ACME_PASSWORD")

    def test_a_variable_that_is_not_there_is_refused_and_nothing_changes(self):
        with self.assertRaisesMessage(CommandError, "The environment variable ACME_PASSWORD"):
            self.store("--password-env", "ACME_PASSWORD")
        self.assertEqual((self.row().user, self.row().password), ("", ""))

    def test_one_user_for_several_tenants_is_refused(self):
        with self.assertRaisesMessage(CommandError, "no two share a user"):
            output("rotate_credentials", "acme", "horza", "--user", "ann")

    def test_what_cannot_be_a_user_or_a_variable(self):
        for word in ("", "x\0", "x\ny", "x" * 300):
            with self.subTest(word), self.assertRaisesMessage(ValueError, "cannot be a user"):
                credentials.store("acme", word, "p")
        for word in [word for word in HOSTILE if word and not word.isalpha()]:
            with self.subTest(word), self.assertRaisesMessage(ValueError, "cannot be the name of an environment"):
                credentials.store("acme", "ann", variable=word)

    def test_new_ones_from_the_server_are_refused_in_one_sentence(self):
        """SQLite has no users, and others' servers are theirs."""
        with self.assertRaises(CommandError):
            output("rotate_credentials", "acme")
        self.assertEqual((self.row().user, self.row().password), ("", ""))

    def test_keys_are_rotated_and_the_old_one_may_go(self):
        self.store(stdin="hunter2\n")
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        with override_settings(TENANT_PASSWORD_KEYS=[old]):
            Tenant.objects.update(password=passwords.encrypt("hunter2"))
        with override_settings(TENANT_PASSWORD_KEYS=[new, old]):
            self.assertEqual(output("rotate_tenant_keys"), "[1/1] acme: done\n")
        with override_settings(TENANT_PASSWORD_KEYS=[new]):
            self.assertEqual(passwords.reveal(self.row().password), "hunter2")

    def test_a_password_without_its_key_stays_and_the_failure_says_what_to_do(self):
        self.store(stdin="hunter2\n")
        before, stdout = self.row().password, StringIO()
        lost = override_settings(TENANT_PASSWORD_KEYS=[Fernet.generate_key().decode()])
        with lost, self.assertRaisesMessage(CommandError, "1 of 1 tenants failed: acme"):
            call_command("rotate_tenant_keys", stdout=stdout)
        self.assertIn("put it there, at the end", stdout.getvalue())
        self.assertEqual(self.row().password, before)
