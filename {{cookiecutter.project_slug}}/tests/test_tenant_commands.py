"""The commands that concern tenants, managed or external alike."""

from __future__ import annotations

import warnings
from io import StringIO

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import TestCase, TransactionTestCase

from databases.models import Tenant
from databases.tenants import use_tenant
from projects.models import DataPoint

from .two_tenants import (
    ALL_DATABASES,
    APERTURE,
    APERTURE_ALIAS,
    VAVATCH,
    VAVATCH_ALIAS,
    add_a_point_each,
    register_both,
)


def output(*words: str, **options: object) -> str:
    """Return what a command prints."""
    stdout = StringIO()
    call_command(*words, stdout=stdout, **options)
    return stdout.getvalue()


class ListTenantsTests(TestCase):
    def test_each_tenant_is_a_line(self):
        register_both()
        Tenant.objects.create(slug="acme", server="eu", database="acme_1", status=Tenant.Status.SUSPENDED)
        self.assertEqual(
            output("list_tenants").splitlines(),
            [
                "acme\tsuspended\teu\tacme_1\tacme",
                f"{APERTURE}\tactive\tdefault\ttenant_{APERTURE}\t{APERTURE}",
                f"{VAVATCH}\tactive\tdefault\ttenant_{VAVATCH}\t{VAVATCH}",
            ],
        )


class DatabasesTests(TransactionTestCase):
    # Not in a transaction: every database is looked at, also one that stands for another of them.
    databases = "__all__"

    def test_tenants_are_among_the_databases(self):
        try:
            report = output("databases")
        except CommandError as error:
            report = str(error)
        for alias in (APERTURE_ALIAS, VAVATCH_ALIAS):
            self.assertIn(f"{alias}: tenant, ", report)

    def test_a_tenant_of_the_registry_whose_server_is_gone_is_reported_as_a_problem(self):
        Tenant.objects.create(slug="acme", database="acme", server="gone")
        stdout = StringIO()
        with self.assertRaisesMessage(CommandError, "Not well: tenant_acme"):
            call_command("databases", stdout=stdout)
        self.assertIn("tenant_acme: tenant, ", stdout.getvalue())
        with self.settings(DEBUG=True):
            self.assertContains(self.client.get("/"), "cannot be reached (LookupError)")


class TenantCommandTests(TestCase):
    databases = ALL_DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()

    def test_a_command_is_run_as_one_tenant_on_its_database(self):
        for slug, ours, theirs in ((APERTURE, "cake", "orbit"), (VAVATCH, "orbit", "cake")):
            rows = output("tenant_command", slug, "dumpdata", "projects")
            self.assertIn(f'"{ours}"', rows)
            self.assertNotIn(f'"{theirs}"', rows)
            self.assertIn(f"[1/1] {slug}: done", rows)

    def test_a_command_is_run_as_every_tenant(self):
        rows = output("tenant_command", "--all", "dumpdata", "projects")
        for expected in ('"cake"', '"orbit"', f"[1/2] {APERTURE}: done", f"[2/2] {VAVATCH}: done"):
            self.assertIn(expected, rows)

    def test_a_command_without_a_database_option_sees_the_tenant(self):
        code = "from projects.models import DataPoint; DataPoint.objects.filter(pk=1000).update(value=7)"
        output("tenant_command", APERTURE, "shell", "-c", code)
        for slug, value in ((APERTURE, 7), (VAVATCH, 1)):
            with use_tenant(slug):
                self.assertEqual(DataPoint.objects.get(pk=1000).value, value)

    def test_one_that_fails_does_not_stop_the_others(self):
        stdout = StringIO()
        code = (
            "from databases.tenants import current_tenant; assert current_tenant() != 'aperture-science-labs', 'Cake!'"
        )
        with self.assertRaisesMessage(CommandError, f"1 of 2 tenants failed: {APERTURE}"):
            call_command("tenant_command", "--all", "shell", "-c", code, stdout=stdout)
        self.assertIn(f"[1/2] {APERTURE}: failed: Cake!", stdout.getvalue())
        self.assertIn(f"[2/2] {VAVATCH}: done", stdout.getvalue())

    def test_what_is_missing_is_said_in_one_sentence(self):
        for words, message in (
            ([], "Name a tenant (or --all) and a command"),
            ([APERTURE], "Name a tenant (or --all) and a command"),
            (["--all"], "Name a tenant (or --all) and a command"),
            (["nobody", "dumpdata"], "There is no tenant 'nobody': see `list_tenants`"),
            ([APERTURE, "dance"], "There is no command 'dance': see `manage.py help`."),
            (["--all", "dance"], "There is no command 'dance': see `manage.py help`."),
        ):
            with self.subTest(words), self.assertRaisesMessage(CommandError, message) as refusal:
                output("tenant_command", *words)
            self.assertEqual(len(str(refusal.exception).splitlines()), 1)


class CreateTenantTests(TestCase):
    def test_what_cannot_be_used_is_an_error_of_one_line_that_begins_with_the_tenant(self):
        for words, message in (
            (["Acme"], "Acme: 'Acme' cannot be a tenant's slug"),
            (["acme", "--database", "../x"], "acme: '../x' cannot be a database's name"),
            (["acme", "--server", "gone"], "acme: There is no server 'gone'"),
        ):
            with self.subTest(words), self.assertRaisesMessage(CommandError, message) as refusal:
                output("create_tenant", *words)
            self.assertEqual(len(str(refusal.exception).splitlines()), 1)
        self.assertFalse(Tenant.objects.exists())

    def test_a_server_that_cannot_be_used_is_an_error_without_its_password(self):
        nowhere = {"HOST": "127.0.0.1", "PORT": "1", "PASSWORD": "hunter2", "NAME": "/dev/null/{name}"}
        with (
            self.settings(TENANT_SERVERS={"default": {**settings.TENANT_SERVERS["default"], **nowhere}}),
            warnings.catch_warnings(),
            self.assertRaisesMessage(CommandError, "acme: ") as refusal,
        ):
            # Django's, that it looks for another database on that server.
            warnings.simplefilter("ignore")
            output("create_tenant", "acme")
        self.addCleanup(connections.release)
        self.assertNotIn("hunter2", str(refusal.exception))
        self.assertEqual(Tenant.objects.get().status, Tenant.Status.PENDING)
