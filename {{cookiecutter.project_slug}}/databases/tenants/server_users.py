"""Users of tenants' own on their servers: two in turn for each, so that one is good while the other changes.

On PostgreSQL a role without a login owns the tenant's database and all that is in it, and both users act as that role:
what one has made, the other may alter. The server's user in the environment is a member of all, and needs CREATEROLE;
on MySQL and MariaDB it needs CREATE USER, and the right to grant what it has. PostgreSQL manual, 22.1 to 22.3.
"""

from __future__ import annotations

from typing import Any

from .registry import Tenant
from .states import TenantError
from .upkeep import connected, server_cursor

#: What in a database has an owner of its own; a sequence of a column goes with its table.
OWNED = """
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relowner = current_user::regrole AND c.relpersistence <> 't'
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p WHERE p.proowner = current_user::regrole
UNION ALL SELECT 'TYPE', t.oid::regtype::text FROM pg_type t WHERE t.typowner = current_user::regrole
AND t.typtype IN ('e', 'd', 'r')
UNION ALL SELECT 'SCHEMA', quote_ident(n.nspname) FROM pg_namespace n WHERE n.nspowner = current_user::regrole
"""


def names_of(tenant: Tenant) -> tuple[str, str, str]:
    """Return what the tenant's two users and the owner of its database are called.

    Not by its slug: another registry's tenant on this server may have the same. MySQL takes 32 characters.
    """
    owner = f"tenant_{tenant.uid.hex[:20]}"
    return f"{owner}_a", f"{owner}_b", owner


def next_user(tenant: Tenant) -> str:
    """Return the one of the two users that the tenant does not use now."""
    first, second, _ = names_of(tenant)
    return second if tenant.user == first else first


def install(tenant: Tenant, config: dict[str, Any], user: str, password: str) -> None:
    """Make the user, or give it this password, and let it do in the database of these settings what it likes.

    Arguments: the tenant, the settings for upkeep (`upkeep.settings_of`), and one of `names_of`. May be repeated.
    Raises `TenantError` on SQLite, which has no users, and Django's database errors.
    """
    if config["ENGINE"].endswith("sqlite3"):
        raise TenantError("SQLite has no users, so there are no credentials to change: the file's permissions decide.")
    if config["ENGINE"].endswith("mysql"):
        _install_mysql(config, tenant.alias, user, password)
    else:
        _install_postgres(config, tenant.alias, user, names_of(tenant)[2], password)


def retire(tenant: Tenant, config: dict[str, Any], user: str) -> None:
    """Let nobody log in as one of `names_of` any more. Who is logged in stays so."""
    with server_cursor(tenant.alias, config) as cursor:
        if config["ENGINE"].endswith("mysql"):
            cursor.execute("DROP USER IF EXISTS %s@'%%'", [user])
        elif _role_exists(cursor, user):
            cursor.execute(f"ALTER ROLE {cursor.db.ops.quote_name(user)} NOLOGIN PASSWORD NULL")


def shut_out(tenant: Tenant, config: dict[str, Any]) -> None:
    """Let nobody log in as a user of the tenant on a server that it has moved away from."""
    if not config["ENGINE"].endswith("sqlite3"):
        for user in names_of(tenant)[:2]:
            retire(tenant, config, user)


def drop(tenant: Tenant, config: dict[str, Any]) -> None:
    """Drop the users of a tenant that has no database on this server any more."""
    if config["ENGINE"].endswith("sqlite3"):
        return
    with server_cursor(tenant.alias, config) as cursor:
        for name in names_of(tenant):
            if config["ENGINE"].endswith("mysql"):
                cursor.execute("DROP USER IF EXISTS %s@'%%'", [name])
            else:
                cursor.execute(f"DROP ROLE IF EXISTS {cursor.db.ops.quote_name(name)}")


def _install_mysql(config: dict[str, Any], alias: str, user: str, password: str) -> None:
    with server_cursor(alias, config) as cursor:
        cursor.execute("CREATE USER IF NOT EXISTS %s@'%%'", [user])
        # Past Django's own cursor, which logs statements while DEBUG is on; the server's logs leave passwords out.
        cursor.cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", [user, str(password)])
        # In a GRANT these two stand for any character, and so for other tenants' databases.
        name = config["NAME"].replace("_", r"\_").replace("%", r"\%%")
        cursor.execute(f"GRANT ALL PRIVILEGES ON {cursor.db.ops.quote_name(name)}.* TO %s@'%%'", [user])


def _install_postgres(config: dict[str, Any], alias: str, user: str, owner: str, password: str) -> None:
    with connected(alias, config) as opened, opened.cursor() as cursor:
        connection: Any = opened
        quote = connection.ops.quote_name
        if not _role_exists(cursor, owner):
            cursor.execute(f"CREATE ROLE {quote(owner)} NOLOGIN")
        cursor.execute(f"GRANT {quote(owner)} TO CURRENT_USER")
        if not _role_exists(cursor, user):
            cursor.execute(f"CREATE ROLE {quote(user)} NOLOGIN IN ROLE {quote(owner)}")
        # Who is no member can neither see nor end its sessions, as a freeze must. PostgreSQL manual, 9.28.2.
        cursor.execute(f"GRANT {quote(user)} TO CURRENT_USER")
        database = quote(config["NAME"])
        cursor.execute(f"ALTER DATABASE {database} OWNER TO {quote(owner)}")
        cursor.execute(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
        cursor.execute(OWNED)
        # One by one, each in a transaction of its own: together they would wait for one another's readers.
        for kind, name in cursor.fetchall():
            cursor.execute(f"ALTER {kind} {name} OWNER TO {quote(owner)}")
        cursor.execute(f"ALTER ROLE {quote(user)} SET role TO {quote(owner)}")
        # Hashed here, so that the password is in no log of the server. PostgreSQL manual, 32.12, PQencryptPasswordConn.
        hashed = connection.connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
        # Last, so that nobody logs in before it may do everything.
        statement = f"ALTER ROLE {quote(user)} LOGIN PASSWORD %s"
        cursor.execute(connection.ops.compose_sql(statement, [hashed.decode()]))


def _role_exists(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    return cursor.fetchone() is not None
