"""What `list_tenants --json` and `databases` show of servers."""

from __future__ import annotations

import json
import os
import warnings
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.backends.signals import connection_created
from django.test import TestCase, override_settings

from databases.fleet import roles, usage
from databases.fleet.states import FleetStatus
from databases.fleet.usage import report_servers
from databases.tenants.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed.ddl import drop_database
from databases.tenants.managed.tests.older_release import make_database, run_sql
from databases.tenants.models import Tenant
from databases.tenants.tests.scratch_server import ScratchServerTestCase

NOWHERE = {"HOST": "127.0.0.1", "PORT": "1"}
HISTORY = """
CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied timestamptz);
INSERT INTO django_migrations (app, name, applied) VALUES
('projects', '0002_newer', '2026-02-03 04:05:06+00'), ('projects', '0001_initial', '2026-01-01 00:00:00+00');
"""


class ListTestCase(ScratchServerTestCase):
    def make(self, status: str = Tenant.Status.ACTIVE, **values: str) -> Tenant:
        """Return a tenant with an empty database."""
        slug = self.new_slug()
        tenant = Tenant.objects.create(slug=slug, database=slug, status=status, **values)
        make_database(tenant)
        return tenant

    def listed(self, *words: str) -> dict[str, Any]:
        """Return what is listed, by slug. `self.names` and `self.users` are those of the connections that it opened."""
        stdout = StringIO()
        self.names, self.users, self.failure = [], [], ""

        def note(connection: Any, **options: Any) -> None:
            self.names.append(connection.settings_dict["NAME"])
            self.users.append(connection.settings_dict["USER"])

        connection_created.connect(note)
        try:
            # Django warns that it cannot reach the database `postgres`.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call_command("list_tenants", "--json", *words, stdout=stdout)
        except CommandError as error:
            self.failure = str(error)
        finally:
            connection_created.disconnect(note)
        return {row["slug"]: row for row in json.loads(stdout.getvalue())}


class ListTests(ListTestCase):
    def test_sizes_and_sessions_are_read_by_one_connection_to_no_tenant(self):
        first, second, third = self.make(), self.make(), Tenant.objects.create(slug="third", database="third")
        with maintenance_connection("other", maintenance_settings(first)) as connection:
            connection.ensure_connection()
            found = self.listed()
        self.assertEqual(self.names, ["postgres"], "not a tenant's database")
        self.assertEqual([found[each.slug]["connections"] for each in (first, second, third)], [1, 0, None])
        self.assertGreater(found[second.slug]["size"], 1_000_000)
        self.assertIsNone(found["third"]["size"])
        self.assertEqual(found[first.slug]["host"], first.slug)
        self.assertNotIn("last_migration", found[first.slug])
        self.assertEqual(self.failure, "")

    def test_only_tenants_with_a_status_are_listed(self):
        tenant, _ = self.make(Tenant.Status.SUSPENDED), self.make()
        self.assertEqual([*self.listed("--status", "suspended")], [tenant.slug])

    def test_a_server_that_is_down_or_gone_is_an_error_and_the_others_are_listed(self):
        up = self.make()
        for server in ("down", "gone"):
            Tenant.objects.create(slug=server, database=server, server=server, status=Tenant.Status.ACTIVE)
        with override_settings(TENANT_SERVERS={"default": self.server, "down": {**self.server, **NOWHERE}}):
            found = self.listed("--migrations")
        self.assertEqual(self.failure, "3 tenants could not be asked: see 'error' in their entries.")
        self.assertGreater(found[up.slug]["size"], 0)
        for server in ("down", "gone"):
            self.assertEqual([found[server][key] for key in ("size", "connections", "last_migration")], [None] * 3)
        self.assertIn("'gone' is not in TENANT_SERVERS", found["gone"]["error"])
        self.assertTrue(found["down"]["error"])
        self.assertIn("django_migrations", found[up.slug]["error"], "an empty database has no history")

    def test_the_last_migration_is_read_as_the_tenants_own_user(self):
        tenant = self.make()
        run_sql(tenant, HISTORY)
        closed = Tenant.objects.create(slug="closed", database="closed", status=FleetStatus.ARCHIVED)
        found = self.listed("--migrations")
        self.assertEqual(
            found[tenant.slug]["last_migration"],
            {"name": "projects.0002_newer", "applied": "2026-02-03T04:05:06+00:00"},
        )
        self.assertEqual((self.users[-1], len(self.users)), (tenant.user, 2))
        self.assertIsNone(found[closed.slug]["last_migration"])
        self.assertEqual(self.failure, "")


class RightsTests(ListTestCase):
    """The server's user may only make databases and users, as in production."""

    def setUp(self):
        super().setUp()
        self.admin, self.stranger = (f"{self.beginning}{name}" for name in ("admin", "stranger"))
        with self.cursor() as cursor:
            for role in (self.admin, self.stranger):
                cursor.execute(f"CREATE ROLE {role} CREATEDB CREATEROLE")
                cursor.execute(f"GRANT {role} TO CURRENT_USER")
        self.addCleanup(self.drop_roles)

    def drop_roles(self) -> None:
        with self.cursor() as cursor:
            for role in (self.admin, self.stranger):
                cursor.execute(f"DROP ROLE {role}")

    def servers(self, role: str) -> override_settings:
        options = {**self.server.get("OPTIONS", {}), "assume_role": role}
        return override_settings(TENANT_SERVERS={"default": {**self.server, "OPTIONS": options}})

    def test_a_size_is_shown_to_a_member_of_the_owner_and_to_no_one_else(self):
        with self.servers(self.admin):
            tenant = self.make()
            config = maintenance_settings(tenant)
            self.addCleanup(roles.drop, tenant, config)
            self.addCleanup(drop_database, config)
            self.assertGreater(self.listed()[tenant.slug]["size"], 1_000_000)
        with self.servers(self.stranger):
            row = self.listed()[tenant.slug]
        self.assertEqual((row["size"], row["connections"], self.failure), (None, 0, ""))


class ReportTests(TestCase):
    def report(self, concurrency: str, connections: int) -> str:
        environment = mock.patch.dict(os.environ, {"WEB_CONCURRENCY": concurrency})
        with environment, self.settings(TENANT_CONNECTIONS=connections):
            (found,) = report_servers()
        (fact,) = found.facts
        return fact

    def test_the_most_sessions_of_all_web_processes_are_compared_with_the_servers_limit(self):
        with usage.cursor_on("default") as cursor:
            cursor.execute("SELECT name, setting::int FROM pg_settings WHERE name ~ 'max_conn|reserved_connections'")
            settings_of_server = dict(cursor.fetchall())
        limit = settings_of_server.pop("max_connections") - sum(settings_of_server.values())
        self.assertEqual(self.report("3", 5), f"at most 3 x 5 = 15 of {limit} sessions")
        self.assertRegex(self.report("1000", 500), r"1000 x 500 = 500000 of \d+ sessions, MORE THAN IT ACCEPTS$")
        self.assertRegex(self.report("", 5), r"1 x 5 = 5 of \d+ sessions \(1 process: WEB_CONCURRENCY is not set\)$")

    def test_the_command_shows_each_server_and_one_that_is_down_is_a_problem(self):
        stdout = StringIO()
        down = {**settings.TENANT_SERVERS["default"], **NOWHERE}
        with (
            mock.patch("databases.management.commands.databases.report_all", return_value=[]),
            self.settings(TENANT_SERVERS={**settings.TENANT_SERVERS, "down": down}),
            warnings.catch_warnings(),
            self.assertRaisesMessage(CommandError, "Unhealthy: tenants on down"),
        ):
            warnings.simplefilter("ignore")
            call_command("databases", stdout=stdout)
        self.assertRegex(stdout.getvalue(), r"tenants on default +server +postgresql +-  at most \d+ x ")
        self.assertIn("PROBLEM: cannot be reached (OperationalError)", stdout.getvalue())
