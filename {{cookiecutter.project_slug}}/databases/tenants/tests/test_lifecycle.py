"""The registry's rows: statuses and the actions that change them, hosts, and what no name may be."""

from __future__ import annotations

import json
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

from databases.tenants import UnknownTenantError, lifecycle
from databases.tenants.lifecycle import create_tenant, rename_tenant
from databases.tenants.models import Tenant
from databases.tenants.registry import find
from databases.tenants.states import ACTIONS, STATES, StateError
from databases.tenants.tests.site import PAGE, own_site
from databases.tenants.transitions import change, resume, suspend

Status = Tenant.Status

#: Names that are invalid everywhere, and that would do harm in SQL or in a path if they were not quoted.
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


@own_site
class StateTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)

    def put(self, status: str) -> None:
        Tenant.objects.filter(slug="acme").update(status=status)

    def status(self) -> str:
        return Tenant.objects.get(slug="acme").status

    def test_actions_start_only_from_the_statuses_in_the_table(self):
        for action, (before, after) in ACTIONS.items():
            for status in STATES:
                with self.subTest(action, status=status):
                    self.put(status)
                    if status in before:
                        self.assertEqual(change("acme", action).status, after)
                    else:
                        with self.assertRaisesMessage(StateError, f"which is {status}: {STATES[status].way_out}."):
                            change("acme", action)
                        self.assertEqual(self.status(), status)

    def test_a_change_by_another_process_is_not_undone(self):
        """Two processes read "active". The statement that changes the row compares the status again."""
        first = find("acme")
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
        response = self.client.get(PAGE, headers={"host": "acme.testserver"})
        self.assertEqual((response.status_code, response["Retry-After"].isdigit()), (503, True))
        self.assertEqual(resume("acme").status, Status.ACTIVE)

    def test_hostile_slugs_are_unknown_tenants(self):
        for slug in HOSTILE:
            with self.subTest(slug), self.assertRaises((UnknownTenantError, ValueError)):
                suspend(slug)
        self.assertEqual(self.status(), Status.ACTIVE)


class ListTests(TestCase):
    def setUp(self):
        Tenant.objects.create(slug="acme", database="a", status=Status.ACTIVE)
        Tenant.objects.create(slug="horza", database="h", status=Status.SUSPENDED)

    def test_tenants_of_one_status_are_listed(self):
        self.assertEqual(output("list_tenants", "--status", "suspended"), "horza\tsuspended\tdefault\th\thorza\n")

    def test_tenants_are_listed_as_json(self):
        rows = json.loads(output("list_tenants", "--json"))
        self.assertEqual([row["slug"] for row in rows], ["acme", "horza"])
        self.assertLessEqual({"slug", "status", "server", "database", "host"}, rows[0].keys())
        self.assertFalse(rows[0].keys() & {"user", "password"})


class RenameTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)
        Tenant.objects.create(slug="horza", host="vavatch", database="horza", status=Status.ACTIVE)

    def host(self) -> str:
        return Tenant.objects.get(slug="acme").host

    def test_only_the_host_changes_and_may_change_back(self):
        for host in ("umbrella", "umbrella", "acme"):
            self.assertEqual(output("rename_tenant", "acme", host), f"acme: its host is {host}\n")
            row = Tenant.objects.get(slug="acme")
            self.assertEqual((row.host, row.alias, row.database), (host, "tenant_acme", "acme"))

    def test_the_host_or_slug_of_another_tenant_is_refused(self):
        for host in ("vavatch", "horza"):
            with self.subTest(host), self.assertRaisesMessage(ValueError, "is that of the tenant 'horza', or its slug"):
                rename_tenant("acme", host)
        self.assertEqual(self.host(), "acme")

    def test_a_host_taken_at_the_same_moment_is_refused(self):
        """As by another process, after this one has looked: the database's own constraint refuses it."""
        unnoticed = mock.patch("databases.tenants.lifecycle.refuse_host")
        with unnoticed, self.assertRaisesMessage(ValueError, "The host 'vavatch' belongs to another tenant"):
            rename_tenant("acme", "vavatch")
        self.assertEqual(self.host(), "acme")

    def test_a_tenant_that_another_process_has_registered_meanwhile_is_continued(self):
        first, second = (lifecycle._register("chell", {"database": "chell"}) for _ in range(2))
        self.assertEqual(first, second)

    def test_a_new_tenant_cannot_take_anothers_host(self):
        with self.assertRaisesMessage(ValueError, "The host 'vavatch' is that of the tenant 'horza'"):
            create_tenant("vavatch")

    def test_invalid_hosts_are_refused(self):
        for host in (*HOSTILE, "Acme", "x.y", "x" * 42):
            with self.subTest(host), self.assertRaisesMessage(ValueError, "cannot be a tenant's slug"):
                rename_tenant("acme", host)
        self.assertEqual(self.host(), "acme")
