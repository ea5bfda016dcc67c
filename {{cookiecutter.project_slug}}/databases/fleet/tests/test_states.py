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
from databases.tenants.managed.owners import owner
from databases.tenants.models import Tenant
from databases.tenants.states import ACTIONS
print(json.dumps([
    [value for value, _ in Tenant._meta.get_field("status").choices],
    sorted(ACTIONS),
    type(owner()).__module__,
    [get_commands()[name] for name in ("create_tenant", "rotate_credentials")],
]))
"""


class ProcessTests(SimpleTestCase):
    def test_a_new_process_has_what_the_fleet_adds(self):
        statuses, actions, owner, commands = production.run(CODE)
        self.assertEqual(statuses, [*Status.values, *FleetStatus.values])
        self.assertEqual(actions, sorted(ACTIONS))
        self.assertEqual(owner, "databases.fleet.ownership")
        self.assertEqual(commands, ["databases.fleet"] * 2)


class ClosedTests(TestCase):
    def test_commands_for_all_tenants_leave_out_what_is_closed(self):
        for status in (*FleetStatus.values, Status.SUSPENDED):
            Tenant.objects.create(slug=f"t-{status}", database=status, status=status)
        self.assertEqual(apps.get_app_config("tenants").dynamic_aliases(), ["tenant_t-suspended"])
        stdout = StringIO()
        call_command("tenant_command", "--all", "shell", "-c", "pass", stdout=stdout)
        self.assertIn("[1/1] t-suspended: done", stdout.getvalue())
