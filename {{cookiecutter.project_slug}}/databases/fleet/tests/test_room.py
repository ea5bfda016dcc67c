"""How many tenants each server is meant for."""

from __future__ import annotations

from unittest import mock

from django.conf import settings
from django.core.checks import run_checks
from django.core.management import CommandError
from django.db import connection
from django.db.models import Q
from django.test import SimpleTestCase, TestCase, override_settings

from databases.fleet.placement import room_of, server_for
from databases.fleet.states import FleetStatus
from databases.fleet.tests.test_placement import output
from databases.tenants.models import Tenant

SERVERS = ("default", "second", "third")


class RoomTests(TestCase):
    """No database is made, and no server is asked."""

    def setUp(self):
        server = settings.TENANT_SERVERS["default"]
        servers = {name: {**server, "NAME": name + "_{name}"} for name in SERVERS}
        for change in (
            override_settings(TENANT_SERVERS=servers, TENANT_ROOM={"default": 4, "second": 8, "third": 0}),
            mock.patch("databases.tenants.managed.provision.make_ready"),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)

    def fill(self, **numbers: int) -> None:
        for server, number in numbers.items():
            for each in range(number):
                slug = f"{server}-{each}"
                Tenant.objects.create(slug=slug, database=slug, server=server, status=Tenant.Status.ACTIVE)

    def test_a_new_tenant_goes_where_most_of_the_room_is_left(self):
        self.assertEqual(server_for("acme"), "default", "the first of several")
        self.fill(default=1, second=1)
        self.assertEqual(server_for("acme"), "second", "an eighth of its room")
        self.fill(third=1)
        self.assertEqual(server_for("third-0"), "third", "where it is")

    def test_archived_tenants_take_no_room_and_suspended_and_pending_ones_do(self):
        self.fill(default=4, second=8)
        Tenant.objects.filter(slug="default-0").update(status=Tenant.Status.SUSPENDED)
        Tenant.objects.filter(slug="default-1").update(status=Tenant.Status.PENDING)
        with self.assertRaises(ValueError):
            server_for("acme")
        Tenant.objects.filter(slug="default-2").update(status=FleetStatus.ARCHIVED)
        self.assertEqual(server_for("acme"), "default")

    def test_full_servers_are_an_error_of_one_line_unless_one_is_named(self):
        self.fill(default=4, second=8)
        with self.assertRaisesMessage(CommandError, "acme: No server has room for the tenant 'acme'") as refusal:
            output("create_tenant", "acme")
        self.assertEqual(len(str(refusal.exception).splitlines()), 1)
        self.assertFalse(Tenant.objects.filter(slug="acme").exists())
        self.assertEqual(output("create_tenant", "acme", "--server", "third").split()[-1], "third")

    def test_a_server_that_is_not_named_has_room_for_a_thousand(self):
        with self.settings(TENANT_ROOM={"default": 4}):
            self.assertEqual([room_of(server) for server in SERVERS], [4, 1000, 1000])

    def test_a_name_of_a_database_is_found_by_an_index(self):
        names = [f"t{number}" for number in range(1000)]
        Tenant.objects.bulk_create(Tenant(slug=name, host=name, database=name) for name in names)
        with connection.cursor() as cursor:
            # The planner goes by the size and the contents that it knows.
            cursor.execute("ANALYZE tenants_tenant")
        # As `create_tenant` asks.
        query = Tenant.objects.filter(Q(database__iexact="acme") | Q(server=""))
        self.assertIn("tenants_by_database", query.explain())


class RoomCheckTests(SimpleTestCase):
    def errors(self, **room: object) -> list[str]:
        with self.settings(TENANT_ROOM=room):
            return [error.msg for error in run_checks() if error.id == "databases.E023"]

    def test_numbers_of_known_servers_pass(self):
        self.assertEqual(self.errors(), [])
        self.assertEqual(self.errors(default=0), [])

    def test_anything_else_is_an_error(self):
        for room in (-1, 1.5, "10", True, None):
            with self.subTest(room=room):
                error = f"TENANT_ROOM['default'] is {room!r}, not a number of tenants."
                self.assertEqual(self.errors(default=room), [error])
        (error,) = self.errors(gone=5)
        self.assertIn("TENANT_ROOM['gone'] is 5, but there is no such server", error)
