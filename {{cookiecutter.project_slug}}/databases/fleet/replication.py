"""Copies a tenant's database to another server by logical replication, while the tenant is served.

That replicates rows of tables with a primary key, and nothing else. Definitions are copied before, values of sequences
afterwards, and what else there is refuses it. PostgreSQL manual, chapter "Logical Replication".
"""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from databases.fleet import dumps, roles
from databases.fleet.closing import ENDING, allow_connections, own_settings, wait_until
from databases.fleet.contents import identifier
from databases.fleet.ownership import with_plain_path
from databases.secret import Secret
from databases.tenants.maintenance import deadline, maintenance_connection, maintenance_cursor, server_cursor
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

PUBLICATION = "tenant_move"
#: Only since this version may an ordinary user make a subscription.
OLDEST = 160000
USER_TABLES = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' AND c.relpersistence <> 't'
"""
TABLES = f"SELECT n.nspname, c.relname {USER_TABLES} AND c.relkind = 'r'"
SEQUENCES = f"SELECT n.nspname, c.relname {USER_TABLES} AND c.relkind = 'S'"
#: The functions of row-level security would run with the right to replicate.
NOT_REPLICATED = f"""
SELECT CASE WHEN c.relkind = 'm' THEN 'the materialized view ' WHEN c.relpersistence = 'u' THEN 'the unlogged table '
WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY of ' ELSE 'the table without a primary key ' END || c.relname
{USER_TABLES} AND (c.relkind = 'm' OR c.relkind = 'r' AND (c.relpersistence = 'u' OR c.relforcerowsecurity
OR c.relreplident = 'n' OR NOT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = c.oid AND indisprimary)))
UNION ALL SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
"""
#: How many tables are not copied yet, and how often that has failed.
PROGRESS = """
SELECT (SELECT count(*) FROM pg_catalog.pg_subscription_rel WHERE srsubstate <> 'r'),
(SELECT sum(apply_error_count + sync_error_count) FROM pg_catalog.pg_stat_subscription_stats)
"""
HAS_ALL = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"
SUBSCRIPTIONS = "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = %s"


class Replication(NamedTuple):
    """One tenant's: the settings of both databases as their servers' users, and the password of its own user."""

    tenant: Tenant
    source: dict[str, Any]
    target: dict[str, Any]
    password: Secret

    @property
    def own_source(self) -> dict[str, Any]:
        """The settings of the source as the tenant's unused user."""
        return {**self.source, "USER": roles.next_user(self.tenant), "PASSWORD": self.password}

    @property
    def own_target(self) -> dict[str, Any]:
        """The settings of the target as the tenant's unused user."""
        return {**self.target, "USER": roles.next_user(self.tenant), "PASSWORD": self.password}

    def start(self) -> None:
        """Copy the definitions, and begin to copy the rows. Raises `TenantError`, which says what keeps it from that.

        `stop` or `clean` undoes this. A slot that nothing removes keeps the log of its server from being deleted.
        """
        alias, user = self.tenant.alias, roles.next_user(self.tenant)
        own_settings(self.tenant, self.source, self.password)
        own_settings(self.tenant, self.target, self.password)
        with maintenance_cursor(alias, self.own_source) as cursor:
            cursor.execute(NOT_REPLICATED)
            if found := [name for (name,) in cursor.fetchall()]:
                raise TenantError(f"Not replicated would be {', '.join(found[:5])}: move it without --online.")
        self._refuse_servers()
        with server_cursor(alias, self.source) as cursor:
            cursor.execute(f"ALTER ROLE {cursor.db.ops.quote_name(user)} REPLICATION")
        dumps.copy(self.own_source, self.own_target, "--schema-only")
        with maintenance_cursor(alias, self.own_source) as cursor:
            cursor.execute(TABLES)
            tables = [identifier(*each) for each in cursor.fetchall()]
            cursor.execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {', '.join(tables)}")
        with server_cursor(alias, self.source) as cursor:
            # The right to replicate is the user's, not the owner's.
            cursor.execute(f"ALTER ROLE {cursor.db.ops.quote_name(user)} RESET role")
        with maintenance_cursor(alias, self.own_source) as cursor:
            # Here, not by the subscription, which would wait for itself if both databases are on one server.
            cursor.execute("SELECT pg_catalog.pg_create_logical_replication_slot(%s, 'pgoutput')", [slot(self.tenant)])
        # It waits for the source without a limit of its own.
        with maintenance_connection(alias, with_plain_path(self.target)) as connection, deadline(connection, "answer"):
            operations: Any = connection.ops
            statement = f"CREATE SUBSCRIPTION {slot(self.tenant)} CONNECTION %s PUBLICATION {PUBLICATION}"
            address = dumps.address(self.own_source, password=self.password)
            connection.cursor().execute(operations.compose_sql(f"{statement} WITH (create_slot = false)", [address]))

    def wait_until_copied(self, limit: float) -> None:
        """Wait until all rows are there. Raises `TenantError` for an error or after this number of seconds."""
        with maintenance_cursor(self.tenant.alias, self.own_target) as cursor:

            def is_copied() -> bool:
                cursor.execute(PROGRESS)
                waiting, failures = cursor.fetchone()
                if failures:
                    raise TenantError(f"Replicating {self.tenant.slug!r} failed: the log of the new server says why.")
                return not waiting

            wait_until(is_copied, limit, f"Not all rows were copied within {limit:g} s: move it without --online.")

    def catch_up(self, limit: float) -> None:
        """Wait until the target has all changes of the closed source, then give it the values of the sequences."""
        with server_cursor(self.tenant.alias, self.source) as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            (position,) = cursor.fetchone()

            def has_all() -> bool:
                cursor.execute(HAS_ALL, [str(position), slot(self.tenant)])
                return bool(cursor.fetchone() == (True,))

            wait_until(has_all, limit, f"The new server did not catch up within {limit:g} seconds: try again later.")
        with maintenance_cursor(self.tenant.alias, self.own_source) as cursor:
            values = []
            cursor.execute(SEQUENCES)
            for each in cursor.fetchall():
                name = identifier(*each)
                cursor.execute(f"SELECT last_value, is_called FROM {name}")
                values.append((name, *cursor.fetchone()))
        with maintenance_cursor(self.tenant.alias, self.own_target) as cursor:
            for value in values:
                cursor.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, %s)", value)

    def stop(self) -> None:
        """Remove what `start` has made besides the target's tables and rows. The user can log in still."""
        detach(self.tenant, self.target)
        _release(self.tenant, self.source, self.own_source)

    def _refuse_servers(self) -> None:
        with server_cursor(self.tenant.alias, self.source) as cursor:
            cursor.execute("SHOW wal_level")
            if cursor.fetchone() != ("logical",):
                raise TenantError(f"{self.tenant.server!r} needs wal_level = logical; or move without --online.")
        with server_cursor(self.tenant.alias, self.target) as cursor:
            has_role = cursor.connection.info.server_version >= OLDEST
            cursor.execute("SELECT pg_has_role('pg_create_subscription', 'usage')" if has_role else "SELECT false")
            if cursor.fetchone() != (True,):
                raise TenantError(
                    "The new server needs PostgreSQL 16 and its user pg_create_subscription; or move without --online."
                )


def slot(tenant: Tenant) -> str:
    """Return the name of the tenant's replication slot, and of its subscription."""
    return f"move_{tenant.uid.hex[:20]}"


def clean(tenant: Tenant, source: dict[str, Any]) -> None:
    """Remove what an interrupted `start` has left on the server of the source."""
    with server_cursor(tenant.alias, source) as cursor:
        cursor.execute("SELECT rolreplication FROM pg_roles WHERE rolname = %s", [roles.next_user(tenant)])
        is_replicating = cursor.fetchone() == (True,)
        if is_replicating:
            allow_connections(cursor, source["NAME"], True)
    if is_replicating:
        _release(tenant, source, own_settings(tenant, source, Secret(secrets.token_urlsafe(32))))
    with server_cursor(tenant.alias, source) as cursor:
        roles.shut_out(cursor, roles.next_user(tenant))


def detach(tenant: Tenant, target: dict[str, Any]) -> None:
    """Remove the subscriptions of a database, which could not be dropped with them. The slot stays."""
    with server_cursor(tenant.alias, target) as cursor:
        cursor.execute(SUBSCRIPTIONS, [target["NAME"]])
        names = [cursor.db.ops.quote_name(name) for (name,) in cursor.fetchall()]
    if names:
        with maintenance_cursor(tenant.alias, with_plain_path(target)) as cursor:
            for name in names:
                cursor.execute(f"ALTER SUBSCRIPTION {name} DISABLE")
                cursor.execute(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
                cursor.execute(f"DROP SUBSCRIPTION {name}")


def _release(tenant: Tenant, source: dict[str, Any], own: dict[str, Any]) -> None:
    with maintenance_cursor(tenant.alias, own) as cursor:
        cursor.execute(f"DROP PUBLICATION IF EXISTS {PUBLICATION}")
    with server_cursor(tenant.alias, source) as cursor:

        def is_dropped() -> bool:
            cursor.execute("SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", [slot(tenant)])
            found = cursor.fetchone()
            if found and found[0]:
                cursor.execute("SELECT pg_terminate_backend(%s)", found)
            elif found:
                cursor.execute("SELECT pg_drop_replication_slot(%s)", [slot(tenant)])
            return not (found and found[0])

        wait_until(is_dropped, ENDING, f"The replication slot {slot(tenant)!r} stays in use: end its session.")
        user, owner = map(cursor.db.ops.quote_name, (roles.next_user(tenant), roles.owner_of(tenant)))
        # Last: an interrupted run is known by this right.
        cursor.execute(f"ALTER ROLE {user} SET role TO {owner}; ALTER ROLE {user} NOREPLICATION")
