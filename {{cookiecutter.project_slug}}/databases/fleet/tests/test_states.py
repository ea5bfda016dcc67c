"""The fleet's statuses and actions are there in every process, and its commands are the ones that run."""

from __future__ import annotations

from io import StringIO

from django.apps import apps
from django.core.management import call_command
from django.test import SimpleTestCase, TestCase

from databases.fleet.states import FleetStatus
from databases.tenants.models import Tenant
from databases.tenants.states import ACTIONS, Status
from databases.tests import production

CODE = """
import json
from django.core.management import get_commands
from django.db.backends.signals import connection_created
from databases.tenants.managed import provision
from databases.tenants.models import Tenant
from databases.tenants.states import ACTIONS
print(json.dumps([
    [value for value, _ in Tenant._meta.get_field("status").choices],
    sorted(ACTIONS),
    [take.__module__ for take in provision.sources],
    [get_commands()[name] for name in ("create_tenant", "rotate_credentials")],
    "databases.fleet.write_block" in [receiver[0][0] for receiver in connection_created.receivers],
]))
"""


class ProcessTests(SimpleTestCase):
    def test_a_new_process_has_what_the_fleet_adds(self):
        statuses, actions, sources, commands, is_blocked = production.run(CODE)
        self.assertEqual(statuses, [*Status.values, *FleetStatus.values])
        self.assertEqual(actions, sorted(ACTIONS))
        self.assertEqual(sources, ["databases.fleet.prepared"])
        self.assertEqual(commands, ["databases.fleet"] * 2)
        self.assertTrue(is_blocked)


class ArchivedTests(TestCase):
    def test_commands_for_all_tenants_leave_out_what_has_no_database(self):
        for status in FleetStatus.values:
            Tenant.objects.create(slug=f"t-{status}", database=status, status=status)
        self.assertEqual(apps.get_app_config("tenants").dynamic_aliases(), ["tenant_t-moving"])
        stdout = StringIO()
        call_command("tenant_command", "--all", "shell", "-c", "pass", stdout=stdout)
        self.assertIn("[1/1] t-moving: done", stdout.getvalue())
