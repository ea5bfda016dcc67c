"""`fleet plan`: the fewest moves after which servers are evenly full."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import SimpleTestCase, TestCase, override_settings

from databases.fleet import balance
from databases.fleet.balance import Move, Server, moves, plan
from databases.fleet.states import FleetStatus
from databases.fleet.usage import Usage
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError

SERVERS = ("default", "second", "third")


def level(number: int, room: int) -> float:
    return number / room if room else float("inf") if number else 0


class FewestTests(SimpleTestCase):
    """Compared with all ways to share few tenants among three servers."""

    def is_even(self, numbers: tuple[int, ...], fixed: list[int], rooms: list[int]) -> bool:
        """Return whether no move makes two servers more even."""
        return not any(
            numbers[source] > fixed[source]
            and numbers[target] < rooms[target]
            and level(numbers[source], rooms[source]) > level(numbers[target] + 1, rooms[target])
            for source, target in itertools.permutations(range(3), 2)
        )

    def ways(self, numbers: list[int], fixed: list[int], rooms: list[int]) -> Iterator[tuple[int, ...]]:
        """Yield each way to share the tenants, where no server gets more than it has room for."""
        ranges = [range(low, max(number, room) + 1) for number, low, room in zip(numbers, fixed, rooms, strict=True)]
        for way in itertools.product(*ranges):
            if sum(way) == sum(numbers):
                yield way

    def test_no_even_way_needs_fewer_moves(self):
        chance = random.Random(1998)  # noqa: S311
        most = 0
        for _ in range(300):
            numbers = [chance.randint(0, 8) for _ in range(3)]
            fixed = [chance.choice([0, 0, chance.randint(0, number)]) for number in numbers]
            rooms = [chance.choice([0, 3, 5, 8, 20]) for _ in range(3)]
            servers = []
            with override_settings(TENANT_ROOM=dict(zip(SERVERS, rooms, strict=True))):
                for name, number, few in zip(SERVERS, numbers, fixed, strict=True):
                    servers.append(Server(name))
                    servers[-1].number = servers[-1].weight = number
                    servers[-1].movable = [(1, f"{name}-{each}") for each in range(number - few)]
            found = moves(servers, 0)
            after = tuple(server.number for server in servers)
            self.assertTrue(self.is_even(after, fixed, rooms), (numbers, fixed, rooms, after))
            needed = min(
                sum(max(0, before - then) for before, then in zip(numbers, way, strict=True))
                for way in self.ways(numbers, fixed, rooms)
                if self.is_even(way, fixed, rooms)
            )
            self.assertEqual(len(found), needed, (numbers, fixed, rooms, after))
            self.assertEqual(len({move.slug for move in found}), len(found))
            most = max(most, needed)
        self.assertGreater(most, 4)


class PlanTestCase(TestCase):
    """Nothing is moved, and no server is asked."""

    def setUp(self):
        servers = override_settings(
            TENANT_SERVERS=dict.fromkeys(SERVERS, settings.TENANT_SERVERS["default"]),
            TENANT_ROOM={"default": 10, "second": 10, "third": 0},
        )
        servers.enable()
        self.addCleanup(servers.disable)
        self.sizes: dict[str, int | None] = {}
        usage = mock.patch.object(balance, "usage_on", self.usage_on)
        usage.start()
        self.addCleanup(usage.stop)

    def usage_on(self, server: str, databases: list[str]) -> dict[str, Usage]:
        return {name: Usage(0, self.sizes[name]) for name in databases if name in self.sizes}

    def fill(self, server: str, *sizes: int | None, status: str = Tenant.Status.ACTIVE) -> None:
        for size in sizes:
            slug = f"{server}-{len(self.sizes)}"
            self.sizes[slug] = size
            Tenant.objects.create(slug=slug, database=slug, server=server, status=status)


class PlanTests(PlanTestCase):
    def test_tenants_move_from_the_fuller_server_for_its_room_to_the_emptier_one(self):
        self.fill("default", *[1] * 6)
        self.assertEqual(Counter(move[1:] for move in plan()), {("default", "second"): 3})
        with self.settings(TENANT_ROOM={"default": 20, "second": 10, "third": 0}):
            self.assertEqual(Counter(move[1:] for move in plan()), {("default", "second"): 2})

    def test_even_servers_are_left(self):
        self.fill("default", 1, 1)
        self.fill("second", 1)
        self.assertEqual(plan(), [])

    def test_a_server_without_room_gets_none_and_is_emptied(self):
        self.fill("third", 1, 1)
        self.fill("default", 1, 1, 1)
        self.assertEqual({move[1:] for move in plan()}, {("third", "second")})
        with self.settings(TENANT_ROOM={"default": 3, "second": 0, "third": 0}):
            self.assertEqual(plan(), [], "no room anywhere")

    def test_only_active_tenants_move_and_the_others_but_archived_ones_count(self):
        for status in (Tenant.Status.SUSPENDED, Tenant.Status.PENDING, FleetStatus.MOVING):
            self.fill("default", 1, status=status)
        self.assertEqual(plan(), [])
        self.fill("default", 1)
        self.assertEqual(plan(), [Move("default-3", "default", "second")])
        self.fill("second", 1, 1, 1, status=FleetStatus.ARCHIVED)
        self.assertEqual(plan(), [Move("default-3", "default", "second")])

    def test_a_tenant_of_a_server_that_is_gone_is_left(self):
        self.fill("gone", 1, 1)
        self.assertEqual(plan(), [])

    def test_by_size_few_large_tenants_move(self):
        self.fill("default", 10, 20, 30, 500, 400)
        self.fill("second", 10, 10, 10, 10, 10, 10, 10)
        found = plan(by_size=True)
        self.assertEqual(found, [Move("default-4", "default", "second"), Move("default-2", "default", "second")])
        self.assertEqual([move[1:] for move in plan()], [("second", "default")], "the other way, by number")

    def test_by_size_a_small_difference_is_left(self):
        self.fill("default", *[20] * 4, 1)
        self.fill("second", *[20] * 3, 10, 1, 1, 1)
        self.assertEqual(plan(by_size=True), [])
        with mock.patch.object(balance, "EVEN", 0):
            self.assertNotEqual(plan(by_size=True), [])

    def test_a_tenant_that_fills_its_server_alone_does_not_keep_the_others_from_moving(self):
        with self.settings(TENANT_ROOM={"default": 10, "second": 10, "third": 10}):
            self.fill("default", 500)
            self.fill("second", 100, 100, 100, 100)
            self.assertEqual(Counter(move[1:] for move in plan(by_size=True)), {("second", "third"): 2})

    def test_a_size_that_is_not_known_is_an_error_and_a_database_that_is_missing_is_empty(self):
        self.fill("default", 100, 100)
        Tenant.objects.create(slug="new", database="new", server="default")
        self.assertEqual(len(plan(by_size=True)), 1)
        self.fill("second", None)
        with self.assertRaisesMessage(ValueError, "The size of the database of 'second-2' is unknown"):
            plan(by_size=True)


class CommandTests(PlanTestCase):
    def setUp(self):
        super().setUp()
        self.fill("default", *[1] * 4)
        self.moved: list[tuple[str, str]] = []
        move = mock.patch("databases.fleet.management.commands.move_tenant.move", self.move)
        move.start()
        self.addCleanup(move.stop)
        self.broken = ""

    def move(self, slug: str, server: str, *, timeout: float) -> Tenant:
        self.moved.append((slug, server))
        if slug == self.broken:
            raise TenantError("its server is full")
        Tenant.objects.filter(slug=slug).update(server=server)
        return Tenant.objects.get(slug=slug)

    def run_plan(self, *words: str) -> str:
        stdout = StringIO()
        self.errors = StringIO()
        self.failure = ""
        try:
            call_command("fleet", "plan", *words, stdout=stdout, stderr=self.errors)
        except CommandError as error:
            self.failure = str(error)
        return stdout.getvalue()

    def test_it_prints_commands_and_moves_nothing(self):
        lines = self.run_plan().splitlines()
        self.assertEqual(lines, ["move_tenant default-3 --server second", "move_tenant default-2 --server second"])
        self.assertEqual(self.moved, [])
        for line in lines:
            call_command(*line.split(), stdout=StringIO())
        self.assertEqual(self.run_plan(), "")
        self.assertIn("Nothing to move", self.errors.getvalue())
        self.assertEqual(json.loads(self.run_plan("--json")), [])

    def test_json_names_both_servers(self):
        first, _ = json.loads(self.run_plan("--json"))
        self.assertEqual(first, {"slug": "default-3", "source": "default", "target": "second"})
        self.assertEqual(self.moved, [])

    def test_with_move_each_tenant_is_moved_and_reported(self):
        output = self.run_plan("--move")
        self.assertEqual(self.moved, [("default-3", "second"), ("default-2", "second")])
        self.assertIn("[1/2] default-3: done\n", output)
        self.assertIn("[2/2] default-2: done\n", output)
        self.assertEqual((self.failure, self.run_plan("--move")), ("", ""))
        self.assertEqual(len(self.moved), 2, "nothing was left to move")

    def test_a_move_that_fails_stops_no_other_and_is_an_error(self):
        self.broken = "default-3"
        output = self.run_plan("--move", "--by", "tenants")
        self.assertIn("[1/2] default-3: failed: default-3: its server is full\n", output)
        self.assertIn("[2/2] default-2: done\n", output)
        self.assertEqual(self.failure, "1 of 2 tenants failed: default-3")

    def test_by_size_a_server_that_is_down_is_an_error_of_one_line(self):
        with mock.patch.object(balance, "usage_on", side_effect=OperationalError("the server\nis down")):
            self.assertEqual(self.run_plan("--by", "size"), "")
        self.assertEqual(self.failure, "fleet plan: the server is down")
