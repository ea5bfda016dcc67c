"""The users of a tenant on its server: two of them, of which one is in use while the other gets a new password.

A role that cannot log in owns the tenant's database and all that is in it. Both users act as that role, so that one may
alter what the other has made. The server's admin user is a member of all three, and needs CREATEROLE.
PostgreSQL manual, 22.1 to 22.3.
"""

from __future__ import annotations

from typing import Any

from databases.tenants.managed.maintenance import maintenance_connection, server_cursor
from databases.tenants.registry import Tenant

#: Kind and name of the current user's objects, without PostgreSQL's own. A column's sequence follows its table.
OWNED = """
WITH schemas AS (
    SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
)
SELECT 'SCHEMA', quote_ident(nspname) FROM schemas WHERE nspowner = current_user::regrole
UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
ELSE 'TABLE' END, c.oid::regclass::text FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relowner = current_user::regrole
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
WHERE p.proowner = current_user::regrole
UNION ALL SELECT 'TYPE', t.oid::regtype::text FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
WHERE t.typowner = current_user::regrole AND t.typtype IN ('e', 'd', 'r')
"""
OWNS_A_DATABASE = "SELECT 1 FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = %s"


def owner_of(tenant: Tenant) -> str:
    """Return the name of the role that owns the tenant's database.

    It holds the uid, not the slug: a tenant of another registry on this server may have the same slug.
    """
    return f"tenant_{tenant.uid.hex[:20]}"


def users_of(tenant: Tenant) -> tuple[str, str]:
    """Return the names of the tenant's two users."""
    return f"{owner_of(tenant)}_a", f"{owner_of(tenant)}_b"


def next_user(tenant: Tenant) -> str:
    """Return the user that the tenant does not use now."""
    first, second = users_of(tenant)
    return second if tenant.user == first else first


def install(tenant: Tenant, config: dict[str, Any], user: str, password: str) -> None:
    """Create a user or change its password, and give it all rights in a database and in no other one.

    Arguments: the tenant, maintenance settings of the database, and one of `users_of`. May be repeated. Raises Django's
    database errors.
    """
    with maintenance_connection(tenant.alias, config) as opened, opened.cursor() as cursor:
        connection: Any = opened
        quote = connection.ops.quote_name
        database, owner, login = quote(config["NAME"]), quote(owner_of(tenant)), quote(user)
        # A change of owner waits for a table's readers, and later readers wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        if not _exists(cursor, owner_of(tenant)):
            cursor.execute(f"CREATE ROLE {owner} NOLOGIN")
        cursor.execute(f"GRANT {owner} TO CURRENT_USER")
        if not _exists(cursor, user):
            cursor.execute(f"CREATE ROLE {login} NOLOGIN IN ROLE {owner}")
        # Only a member may see and end the user's sessions, as `freeze` must. PostgreSQL manual, 9.28.2.
        cursor.execute(f"GRANT {login} TO CURRENT_USER")
        cursor.execute(f"ALTER DATABASE {database} OWNER TO {owner}")
        cursor.execute(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
        cursor.execute(OWNED)
        # Schemas first, in which the new owner of a table needs rights.
        # One transaction each: locks on all tables at once would wait for the slowest reader.
        for kind, name in sorted(cursor.fetchall(), key=lambda row: row[0] != "SCHEMA"):
            cursor.execute(f"ALTER {kind} {name} OWNER TO {owner}")
        cursor.execute(f"ALTER ROLE {login} SET role TO {owner}")
        # Hashed here, so that no log of the server shows the password. PostgreSQL manual, 32.12, PQencryptPasswordConn.
        hashed = connection.connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
        # Last: the user must not log in before it has all rights.
        cursor.execute(connection.ops.compose_sql(f"ALTER ROLE {login} LOGIN PASSWORD %s", [hashed.decode()]))


def retire(tenant: Tenant, config: dict[str, Any], *users: str) -> None:
    """Keep users from logging in on a server. Their present sessions continue."""
    with server_cursor(tenant.alias, config) as cursor:
        for user in users:
            if _exists(cursor, user):
                cursor.execute(f"ALTER ROLE {cursor.db.ops.quote_name(user)} NOLOGIN PASSWORD NULL")


def drop(tenant: Tenant, config: dict[str, Any]) -> None:
    """Drop the tenant's users on a server, unless they own a database there."""
    with server_cursor(tenant.alias, config) as cursor:
        cursor.execute(OWNS_A_DATABASE, [owner_of(tenant)])
        if cursor.fetchone() is None:
            for name in (*users_of(tenant), owner_of(tenant)):
                # Not IF EXISTS, which asks for CREATEROLE even where there is no such user.
                if _exists(cursor, name):
                    cursor.execute(f"DROP ROLE {cursor.db.ops.quote_name(name)}")


def _exists(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    return cursor.fetchone() is not None
