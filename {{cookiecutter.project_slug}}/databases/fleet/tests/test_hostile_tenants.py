"""What a tenant's user may do in its own database and on its server stops no command, and reaches no other tenant."""

from __future__ import annotations

from unittest import mock

from databases.fleet import ownership, roles
from databases.fleet.archive import new_password
from databases.fleet.closing import close, open_again
from databases.fleet.contents import contents
from databases.fleet.models import Kind, claim_database, discard
from databases.fleet.tests.two_servers import FleetTestCase
from databases.tenants import maintenance
from databases.tenants.maintenance import inside, server_cursor
from databases.tenants.managed import migrate
from databases.tenants.managed.ddl import create_database
from databases.tenants.managed.migration_history import release
from databases.tenants.managed.migration_plan import plan_for
from databases.tenants.models import Tenant
from databases.tenants.states import TenantError

#: No limit of the server ends it. After 20 s it ends by itself, for tests in a project that lacks a limit of its own.
WAIT = """
CREATE FUNCTION wait() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..20 LOOP BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; RETURN '';
END $$;
"""


class HostileTenantTests(FleetTestCase):
    def tearDown(self):
        # Ends the sessions that a test has left.
        close(self.row(), new_password(), 0)
        open_again(self.row(), self.source)
        super().tearDown()

    def test_a_database_that_never_answers_fails_by_itself(self):
        self.sql(WAIT + "ALTER TABLE tenant_identity RENAME TO kept")
        self.sql("CREATE VIEW tenant_identity AS SELECT slug, uid, wait() AS migrations FROM kept")
        with mock.patch.dict(maintenance.SECONDS, answer=0.5):
            error = migrate.migrate_tenant("acme").error
        self.assertEqual(error, "its database did not answer within 0.5 s: check its server, and run this again")

    def test_a_restore_that_never_ends_fails(self):
        self.sql(WAIT + "CREATE FUNCTION ends() RETURNS boolean LANGUAGE sql AS 'SELECT true'")
        self.sql("CREATE TABLE waits (id integer CHECK (ends())); INSERT INTO waits VALUES (1)")
        self.sql("CREATE OR REPLACE FUNCTION ends() RETURNS boolean LANGUAGE sql AS 'SELECT public.wait() IS NULL'")
        with (
            mock.patch.dict(maintenance.SECONDS, work=3),
            self.assertRaisesMessage(TenantError, "did not end within 3 s"),
        ):
            self.archive()
        self.assertEqual(self.row().status, Tenant.Status.ACTIVE)

    def test_a_transaction_that_holds_its_role_does_not_stop_the_closing(self):
        session = self.connect()
        session.set_autocommit(False)
        session.cursor().execute(f"SET ROLE none; ALTER ROLE {self.row().user} PASSWORD 'another'")
        with mock.patch.object(maintenance, "LOCK_SECONDS", 0.5):
            close(self.row(), new_password(), 0)
        self.assertEqual(self.roles()[self.row().user[-2:]], False)
        session.close()

    def test_sessions_elsewhere_end_too_although_the_servers_user_is_no_member(self):
        elsewhere = self.connect({**self.config(), "NAME": "postgres"})
        keeper = self.source["USER"]
        with elsewhere.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::integer < 160000")
            if cursor.fetchone() == (True,):
                cursor.execute(f'SET ROLE none; REVOKE {self.row().user} FROM "{keeper}"')
        close(self.row(), new_password(), 0)
        with self.assert_sqlstate("57P01", "08006", None), elsewhere.cursor() as cursor:
            cursor.execute("SELECT 1")

    def test_a_limit_of_connections_does_not_keep_an_operation_out(self):
        self.sql(f'ALTER DATABASE "{self.source["NAME"]}" CONNECTION LIMIT 0')
        self.assertEqual(self.sql("SELECT 1", config=close(self.row(), new_password(), 0)), [(1,)])

    def test_rights_that_another_tenant_gives_keep_no_database_from_being_discarded(self):
        other = Tenant.objects.create(slug="horza", database="horza")
        scratch = claim_database(other, Kind.SCRATCH, "default")
        self.sql(f'GRANT CONNECT ON DATABASE "{self.source["NAME"]}" TO {roles.owner_of(other)}')
        with server_cursor("tenant_acme", self.source) as cursor:
            roles.let_in(cursor, roles.next_user(other), "x")
        with self.assertLogs("databases.fleet.roles", "WARNING"):
            discard(scratch)
        logins = self.sql("SELECT bool_or(rolcanlogin) FROM pg_roles WHERE rolname = ANY(%s)", [*roles.users_of(other)])
        self.assertEqual(logins, [(False,)])
        self.assertFalse(other.artifacts.exists())
        self.sql(f'REVOKE CONNECT ON DATABASE "{self.source["NAME"]}" FROM {roles.owner_of(other)}')
        roles.drop(other, self.source)

    def test_a_new_database_lets_nobody_in_before_it_is_closed_to_others(self):
        config = {**self.source, "NAME": f"{self.beginning}closed"}
        create_database(config, roles.owner_of(self.row()), ownership.TenantRoles.options)
        self.assert_closed(config)
        with server_cursor("tenant_acme", config) as cursor:
            ownership.close_to_others(self.row(), config["NAME"], cursor)
        self.assertEqual(self.sql("SELECT 1", config={**self.config(), "NAME": config["NAME"]}), [(1,)])

    def test_settings_of_a_database_do_not_decide_what_the_servers_user_runs_in_it(self):
        name = self.source["NAME"]
        self.sql(f'ALTER DATABASE "{name}" SET search_path = evil, public, pg_catalog')
        self.addCleanup(lambda: self.sql(f'ALTER DATABASE "{name}" RESET ALL'))
        config = ownership.with_plain_path(self.source)
        self.assertEqual(self.sql("SHOW search_path", config=config), [("pg_catalog",)])

    def test_names_with_quotes_are_compared(self):
        self.sql('CREATE TABLE """" (id integer)')
        self.assertEqual(contents("tenant_acme", self.config())['public."'], "0 0")

    def test_a_history_that_changes_while_it_is_read_makes_no_plan_for_others(self):
        applied = frozenset(release().disk_migrations)
        with inside(self.row()) as connection, self.assertRaisesMessage(TenantError, "has changed while it was read"):
            plan_for(connection, applied)
