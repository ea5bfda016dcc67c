"""The commands that all kinds of tenants have."""

from __future__ import annotations

import warnings
from io import StringIO

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from databases.tenants import use_tenant
from databases.tenants.commands import TenantCommand
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    FIRST_ALIAS,
    SECOND,
    SECOND_ALIAS,
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
                f"{FIRST}\tactive\tdefault\ttenant_{FIRST}\t{FIRST}",
                f"{SECOND}\tactive\tdefault\ttenant_{SECOND}\t{SECOND}",
            ],
        )


@override_settings(ROOT_URLCONF="databases.urls")
@own_site
class DatabasesTests(TransactionTestCase):
    # Not in a transaction: the report reads every database, also the replica that stands for the primary.
    databases = "__all__"

    def test_tenants_are_among_the_databases(self):
        try:
            report = output("databases")
        except CommandError as error:
            report = str(error)
        for alias in (FIRST_ALIAS, SECOND_ALIAS):
            self.assertRegex(report, rf"{alias} +tenant ")

    def test_a_tenant_on_an_unknown_server_is_reported_as_a_problem(self):
        Tenant.objects.create(slug="acme", database="acme", server="gone")
        stdout = StringIO()
        with self.assertRaisesMessage(CommandError, "tenant_acme"):
            call_command("databases", stdout=stdout)
        self.assertRegex(stdout.getvalue(), "tenant_acme +tenant ")


class TenantCommandTests(TestCase):
    databases = DATABASES

    def setUp(self):
        register_both()
        add_a_point_each()

    def test_a_command_runs_as_one_tenant_on_its_database(self):
        for slug, ours, theirs in ((FIRST, "cake", "orbit"), (SECOND, "orbit", "cake")):
            rows = output("tenant_command", slug, "dumpdata", "layer_points")
            self.assertIn(f'"{ours}"', rows)
            self.assertNotIn(f'"{theirs}"', rows)
            self.assertIn(f"[1/1] {slug}: done", rows)

    def test_a_command_runs_as_every_tenant(self):
        rows = output("tenant_command", "--all", "dumpdata", "layer_points")
        for expected in ('"cake"', '"orbit"', f"[1/2] {FIRST}: done", f"[2/2] {SECOND}: done"):
            self.assertIn(expected, rows)

    def test_a_command_without_a_database_option_sees_the_tenant(self):
        models = "databases.tenants.tests.points.models"
        code = f"from {models} import DataPoint; DataPoint.objects.filter(pk=1000).update(value=7)"
        output("tenant_command", FIRST, "shell", "-c", code)
        for slug, value in ((FIRST, 7), (SECOND, 1)):
            with use_tenant(slug):
                self.assertEqual(DataPoint.objects.get(pk=1000).value, value)

    def test_a_failure_stops_no_other_tenant(self):
        stdout = StringIO()
        code = f"from databases.tenants import current_tenant; assert current_tenant().slug != '{FIRST}', 'Cake!'"
        with self.assertRaisesMessage(CommandError, f"1 of 2 tenants failed: {FIRST}"):
            call_command("tenant_command", "--all", "shell", "-c", code, stdout=stdout)
        self.assertIn(f"[1/2] {FIRST}: failed: Cake!", stdout.getvalue())
        self.assertIn(f"[2/2] {SECOND}: done", stdout.getvalue())

    def test_a_command_that_ends_its_process_ends_it_for_no_other_tenant(self):
        stdout = StringIO()
        with self.assertRaisesMessage(CommandError, "2 of 2 tenants failed"):
            call_command("tenant_command", "--all", "shell", "-c", "raise SystemExit(3)", stdout=stdout)
        self.assertIn(f"[2/2] {SECOND}: failed: exit code 3", stdout.getvalue())

    def test_missing_arguments_are_named_in_one_line(self):
        for words, message in (
            ([], "Name a tenant (or --all) and a command"),
            ([FIRST], "Name a tenant (or --all) and a command"),
            (["--all"], "Name a tenant (or --all) and a command"),
            (["nobody", "dumpdata"], "There is no tenant 'nobody': see `list_tenants`"),
            ([FIRST, "dance"], "There is no command 'dance': see `manage.py help`."),
            (["--all", "dance"], "There is no command 'dance': see `manage.py help`."),
        ):
            with self.subTest(words), self.assertRaisesMessage(CommandError, message) as refusal:
                output("tenant_command", *words)
            self.assertEqual(len(str(refusal.exception).splitlines()), 1)


class SlowCommandTests(SimpleTestCase):
    def test_a_slow_command_says_what_it_does_before_it_does_it(self):
        said = StringIO()

        class Slow(TenantCommand):
            doing = "moving"

            def run(self, slug: str, **options: object) -> str:
                return f"moved, after {said.getvalue()!r}"

        call_command(Slow(), "acme", stdout=said, stderr=said)
        self.assertTrue(said.getvalue().endswith("acme: moved, after 'acme: moving …\\n'\n"), said.getvalue())


class CreateTenantTests(TestCase):
    def test_invalid_arguments_are_an_error_of_one_line(self):
        for words, message in (
            (["Acme"], "Acme: 'Acme' cannot be a tenant's slug"),
            (["acme", "--database", "../x"], "acme: '../x' cannot be a database's name"),
        ):
            with self.subTest(words), self.assertRaisesMessage(CommandError, message) as refusal:
                output("create_tenant", *words)
            self.assertEqual(len(str(refusal.exception).splitlines()), 1)
        self.assertFalse(Tenant.objects.exists())

    def test_an_unreachable_server_is_an_error_without_its_password(self):
        said = StringIO()
        nowhere = {"HOST": "127.0.0.1", "PORT": "1", "PASSWORD": "hunter2", "NAME": "/dev/null/{name}"}
        with (
            self.settings(TENANT_SERVERS={"default": {**settings.TENANT_SERVERS["default"], **nowhere}}),
            warnings.catch_warnings(),
            self.assertRaisesMessage(CommandError, "acme: ") as refusal,
        ):
            # Django warns that it connects to another database of that server.
            warnings.simplefilter("ignore")
            output("create_tenant", "acme", stderr=said)
        self.assertEqual(said.getvalue(), "acme: making its database ready …\n")
        self.assertNotIn("hunter2", str(refusal.exception))
        self.assertEqual(Tenant.objects.get().status, Tenant.Status.PENDING)
