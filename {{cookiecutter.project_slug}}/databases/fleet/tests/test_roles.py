"""The roles of tenants on a real server."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.conf import settings
from django.core import checks
from django.db import OperationalError, connections

from databases.fleet import credentials, ownership, roles
from databases.fleet.checks import check_registry
from databases.fleet.tests.two_servers import FleetTestCase
from databases.tenants.lifecycle import create_tenant, purge_pending_tenant
from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.ddl import create_database
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError
from databases.tenants.tests.scratch_server import ScratchServerTestCase

#: The owners of all that is in a database, extensions' objects and PostgreSQL's own aside.
OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""
#: How many functions of PostgreSQL itself belong to a role.
SYSTEM_OBJECTS = """
SELECT count(*) FROM pg_proc WHERE proowner = %s::regrole AND pronamespace = 'pg_catalog'::regnamespace
"""
INSUFFICIENT_PRIVILEGE = "42501"


class DatabaseRoleTests(FleetTestCase):
    def as_tenant(self, statement: str) -> list[Any]:
        return self.sql(statement, config=self.row().connection_settings())

    def test_two_users_take_turns_and_each_may_alter_what_the_other_made(self):
        for user, column in (("_b", "one"), ("_a", "two"), ("_b", "three")):
            credentials.rotate("acme")
            self.assertEqual(self.row().user, roles.owner_of(self.row()) + user)
            self.as_tenant(f"ALTER TABLE thing ADD {column} integer; CREATE TABLE made{user}_{column} (id integer)")
        self.assertEqual(self.roles(), {"": False, "_a": True, "_b": True})
        credentials.retire("acme")
        self.assertEqual(self.roles(), {"": False, "_a": False, "_b": True})
        self.as_tenant("DROP TABLE made_a_two, made_b_one")
        self.assertEqual(self.sql(SYSTEM_OBJECTS, roles.owner_of(self.row())), [(0,)])

    def test_a_rotation_waits_for_no_lock_and_ends_no_cursor(self):
        reader = self.connect()
        reader.set_autocommit(False)
        with reader.cursor() as cursor:
            cursor.execute("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
            credentials.rotate("acme")
            credentials.retire("acme")
            cursor.execute("SELECT count(*) FROM thing")
            self.assertEqual(cursor.fetchone(), (3,))
        reader.close()

    def test_a_password_is_neither_sent_to_the_server_nor_shown(self):
        with server_cursor("tenant_acme", self.source) as cursor, mock.patch.object(cursor, "execute") as sent:
            roles.let_in(cursor, roles.users_of(self.row())[0], "hunter2")
        ((statement,), _) = sent.call_args
        self.assertIn("SCRAM-SHA-256$", str(statement))
        self.assertNotIn("hunter2", str(statement))

    def test_a_tenant_without_a_user_is_refused_and_left_as_it_was(self):
        Tenant.objects.update(user="", password="")
        for work in (self.archive, lambda: credentials.rotate("acme")):
            with self.assertRaisesMessage(TenantError, "'acme' has no database user of its own"):
                work()
        self.assertEqual(self.row().status, Tenant.Status.ACTIVE)

    def test_the_database_of_another_owner_is_never_given_to_a_tenant(self):
        foreign = {**self.source, "NAME": f"{self.beginning}foreign"}
        create_database(foreign)
        with server_cursor("tenant_acme", foreign) as cursor, self.assertRaisesMessage(TenantError, "its owner is"):
            ownership.TenantRoles().give(self.row(), foreign, cursor)

    def test_a_function_of_someone_else_is_not_run_as_the_servers_user(self):
        with server_cursor("tenant_acme", self.source) as cursor:
            cursor.execute("SELECT current_schemas(false)")
            self.assertEqual(cursor.fetchone(), (["pg_catalog"],))


class NewTenantTests(ScratchServerTestCase):
    def inside(self, tenant: Tenant, statement: str, **changes: object) -> list[Any]:
        connection = connections.create_connection("default")
        connection.settings_dict = {**tenant.connection_settings(), **changes}
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def test_a_new_tenant_owns_all_that_is_in_its_database(self):
        tenant = create_tenant(self.new_slug())
        self.assertEqual(self.inside(tenant, OWNERS), [(roles.owner_of(tenant),)])
        self.inside(tenant, "ALTER TABLE tenant_identity ADD mine integer; CREATE TABLE mine (id integer)")

    def test_its_user_connects_to_no_other_tenants_database(self):
        one, other = create_tenant(self.new_slug()), create_tenant(self.new_slug())
        with self.assertRaises(OperationalError):
            self.inside(one, "SELECT 1", NAME=other.connection_settings()["NAME"])
        self.assertEqual(self.inside(one, "SELECT 1"), [(1,)])

    def test_a_run_that_was_killed_before_the_database_was_given_is_completed(self):
        slug = self.new_slug()
        for place in ("close_to_others", "maintenance_cursor"):
            with (
                mock.patch.object(ownership, place, side_effect=KeyboardInterrupt),
                self.assertRaises(KeyboardInterrupt),
            ):
                create_tenant(slug)
        tenant = create_tenant(slug)
        self.assertEqual(self.inside(tenant, OWNERS), [(roles.owner_of(tenant),)])

    def test_a_run_that_was_killed_before_the_database_was_given_can_be_removed(self):
        slug = self.new_slug()
        with (
            mock.patch.object(ownership, "close_to_others", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            create_tenant(slug)
        with self.assertRaisesMessage(TenantError, "was begun: complete it"):
            create_tenant(slug, database="other")
        owner = roles.owner_of(Tenant.objects.get(slug=slug))
        purge_pending_tenant(slug)
        with self.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [owner])
            self.assertEqual(cursor.fetchall(), [])
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"{self.beginning}tenant_{slug}"])
            self.assertIsNone(cursor.fetchone())

    def test_without_a_key_nothing_is_made(self):
        with self.settings(TENANT_PASSWORD_KEYS=[]), self.assertRaisesMessage(LookupError, "TENANT_PASSWORD_KEYS"):
            create_tenant(self.new_slug())
        with server_cursor("scratch", maintenance_settings(Tenant(slug="x", database="x"))) as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)", [f"{self.beginning}tenant_s"]
            )
            self.assertEqual(cursor.fetchone(), (0,))


class RegistryCheckTests(FleetTestCase):
    def test_databases_that_every_user_may_connect_to_are_reported(self):
        database = connections["default"].ops.quote_name(connections["default"].settings_dict["NAME"])
        # Only a superuser could close the servers' own.
        entering = mock.patch("databases.fleet.checks.cursor_on", lambda server: connections["default"].cursor())
        with connections["default"].cursor() as cursor, entering:
            cursor.execute(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
            self.assertEqual(check_registry(None, databases=["default"]), [])
            cursor.execute(f"GRANT CONNECT ON DATABASE {database} TO PUBLIC")
            found = check_registry(None, databases=["default"])
        self.assertEqual({(each.id, each.level) for each in found}, {("databases.W008", checks.WARNING)})
        names = ["the registry", *map(repr, settings.TENANT_SERVERS)]
        self.assertEqual([name for name, each in zip(names, found, strict=True) if name not in each.msg], [])
        self.assertEqual(check_registry(None), [])

    def test_a_server_that_is_down_does_not_stop_the_check(self):
        with mock.patch("databases.fleet.checks.cursor_on", side_effect=OperationalError) as asked:
            check_registry(None, databases=["default"])
        self.assertEqual([call.args for call in asked.mock_calls], [(server,) for server in settings.TENANT_SERVERS])
