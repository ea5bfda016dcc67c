"""The users of tenants on a real server."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError

from databases.fleet import archive, credentials, database_roles, relocate
from databases.fleet.states import FleetStatus
from databases.fleet.tests.two_servers import LOCK_TIMEOUT, FleetTestCase
from databases.tenants.managed.ddl import create_database, drop_database
from databases.tenants.managed.maintenance import maintenance_settings, server_cursor
from databases.tenants.models import Tenant

MAY_CREATE_USERS = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
ROLES = "SELECT rolname, rolcanlogin FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY 1"
#: How many functions of PostgreSQL itself belong to a role.
SYSTEM_OBJECTS = """
SELECT count(*) FROM pg_proc WHERE proowner = %s::regrole AND pronamespace = 'pg_catalog'::regnamespace
"""


class DatabaseRoleTests(FleetTestCase):
    def setUp(self):
        super().setUp()
        if not self.sql(MAY_CREATE_USERS)[0][0]:
            self.skipTest("The user of the test server has no CREATEROLE, which the user of a fleet's servers needs.")
        self.addCleanup(self.drop_users)

    def drop_users(self) -> None:
        config = self.config()
        if self.row().status != FleetStatus.ARCHIVED:
            drop_database(config)
        database_roles.drop(self.row(), config)
        self.assertEqual(self.roles(), {})

    def roles(self) -> dict[str, bool]:
        """Return the tenant's roles by the end of their names, and whether they may log in."""
        owner = database_roles.owner_of(self.row())
        with server_cursor("tenant_acme", self.source) as cursor:
            cursor.execute(ROLES, [owner])
            return {name.removeprefix(owner): may_log_in for name, may_log_in in cursor.fetchall()}

    def as_tenant(self, statement: str) -> list[Any]:
        return self.sql(statement, config=self.row().connection_settings())

    def test_two_users_take_turns_and_each_may_alter_what_the_other_made(self):
        self.sql("CREATE SCHEMA other; CREATE TABLE other.things (id serial); CREATE TYPE mood AS ENUM ('sad')")
        self.sql("CREATE VIEW seen AS SELECT 1; CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        for user, column in (("_a", "one"), ("_b", "two"), ("_a", "three")):
            credentials.rotate("acme")
            self.assertEqual(self.row().user, database_roles.owner_of(self.row()) + user)
            self.as_tenant(f"ALTER TABLE thing ADD {column} integer; CREATE TABLE made{user}_{column} (id integer)")
        self.assertEqual(self.roles(), {"": False, "_a": True, "_b": True})
        self.assertEqual(self.sql(SYSTEM_OBJECTS, database_roles.owner_of(self.row())), [(0,)])
        credentials.retire("acme")
        self.assertEqual(self.roles(), {"": False, "_a": True, "_b": False})
        self.as_tenant("DROP TABLE made_b_two, other.things; DROP SCHEMA other; DROP TYPE mood; DROP VIEW seen")
        self.as_tenant("DROP FUNCTION one()")

    def test_a_user_connects_to_the_database_of_its_tenant_only(self):
        other = maintenance_settings(Tenant(slug="horza", database="horza"))
        horza = Tenant.objects.create(slug="horza", database="horza", status=Tenant.Status.ACTIVE)
        create_database(other)
        self.addCleanup(database_roles.drop, horza, other)
        self.addCleanup(drop_database, other)
        for slug in ("acme", "horza"):
            credentials.rotate(slug)
        config = self.row().connection_settings()
        self.assertEqual(self.sql("SELECT 1", config=config), [(1,)])
        with self.assertRaises(OperationalError):
            self.sql("SELECT 1", config={**config, "NAME": other["NAME"]})

    def test_users_are_dropped_with_the_last_database_and_made_again_by_a_restore(self):
        credentials.rotate("acme")
        self.archive()
        self.assertEqual(self.roles(), {})
        archive.restore("acme")
        self.assertEqual(self.roles(), {"": False, "_a": True})
        self.as_tenant("ALTER TABLE thing ADD one integer")

    def test_a_move_between_two_names_of_one_server_leaves_the_user_in_place(self):
        credentials.rotate("acme")
        relocate.move("acme", "eu")
        self.as_tenant("UPDATE thing SET name = 'pie' WHERE name = 'cake'")
        relocate.drop_old("acme", self.folder)
        self.as_tenant("UPDATE thing SET name = 'cake' WHERE name = 'pie'")
        self.archive()
        self.assertEqual(self.roles(), {})

    def test_a_table_in_use_delays_its_readers_for_seconds_only(self):
        reader = self.connect()
        # Ends the transaction in any case: without a limit the rotation would wait for it.
        reader.cursor().execute("SET idle_in_transaction_session_timeout = '8s'")
        reader.set_autocommit(False)
        reader.cursor().execute("SELECT 1 FROM thing")
        with self.assert_sqlstate(LOCK_TIMEOUT):
            credentials.rotate("acme")
        reader.close()
        credentials.rotate("acme")
        self.as_tenant("SELECT 1 FROM thing")
