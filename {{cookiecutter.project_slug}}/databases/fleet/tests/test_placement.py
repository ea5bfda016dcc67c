"""Which server a new tenant goes to, and which databases are made ready there."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import TestCase, override_settings

from databases.fleet import ready
from databases.fleet.states import FleetStatus
from databases.tenants.managed import template
from databases.tenants.models import Tenant


def output(*words: str) -> str:
    stdout = StringIO()
    call_command(*words, stdout=stdout)
    return stdout.getvalue()


class PlacementTests(TestCase):
    """No database is made: `test_ready` makes some."""

    def setUp(self):
        server = settings.TENANT_SERVERS["default"]
        second = {**server, "NAME": "b_{name}"}
        for change in (
            override_settings(TENANT_SERVERS={"default": server, "second": second}),
            mock.patch("databases.tenants.managed.provision.make_ready"),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)

    def server_of(self, *words: str) -> str:
        return output("create_tenant", *words).split()[-1]

    def test_a_new_tenant_goes_to_the_server_with_the_fewest_tenants(self):
        self.assertEqual([self.server_of("acme"), self.server_of("horza")], ["default", "second"])
        self.assertEqual(self.server_of("horza"), "second", "where it is")
        self.assertEqual(self.server_of("chell", "--server", "second"), "second")
        self.assertEqual(self.server_of("umbrella"), "default")
        # Archived tenants have no database there.
        Tenant.objects.filter(server="second").update(status=FleetStatus.ARCHIVED)
        self.assertEqual(self.server_of("vavatch"), "second")

    def test_an_unknown_server_is_an_error_of_one_line(self):
        with self.assertRaisesMessage(CommandError, "acme: There is no server 'gone': name one of") as refusal:
            output("create_tenant", "acme", "--server", "gone")
        self.assertEqual(len(str(refusal.exception).splitlines()), 1)
        self.assertFalse(Tenant.objects.exists())

    def test_a_release_without_a_template_is_an_error_of_one_line(self):
        fill = mock.patch.object(ready, "fill", side_effect=template.TemplateTenantError("there is no template"))
        with fill, self.assertRaisesMessage(CommandError, "2 of 2 servers failed"):
            output("prepare_tenants", "1")

    def test_databases_are_prepared_on_each_server_and_one_that_fails_does_not_stop_the_others(self):
        def fill(server: str, number: int) -> int:
            if server == "default":
                raise DatabaseError("the server\nis down")
            return number

        stdout = StringIO()
        count = mock.patch.object(ready, "count", return_value=3)
        with mock.patch.object(ready, "fill", fill), count, self.assertRaisesMessage(CommandError, "1 of 2 servers"):
            call_command("prepare_tenants", "2", stdout=stdout)
        lines = ["default: failed: the server is down", "second: 2 made, 3 ready"]
        self.assertEqual(stdout.getvalue().splitlines(), lines)
