"""The roles of a tenant on its server: an owner, which cannot log in, and two users, of which one is in use.

The owner owns the tenant's database and all that is in it. Both users act as the owner, so a new password needs no
change of owners, and waits for nobody. The server's user makes the roles and is a member of them: it needs CREATEDB and
CREATEROLE. PostgreSQL manual, 22.1 to 22.3.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.db import DatabaseError

from databases.lock_timeout import LOCK_NOT_AVAILABLE
from databases.migrating import one_line
from databases.tenants.credentials import passwords
from databases.tenants.maintenance import server_cursor
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

logger = logging.getLogger(__name__)

#: Of a role to which something is granted, or is just being granted. PostgreSQL manual, appendix A.
STILL_USED = ("2BP01", LOCK_NOT_AVAILABLE)


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


def new_credentials(tenant: Tenant) -> tuple[str, str]:
    """Return the name of the tenant's first user, and a new password as text of the registry. Raises `LookupError`."""
    return users_of(tenant)[0], passwords.encrypt(secrets.token_urlsafe(32))


def install(tenant: Tenant, cursor: Any) -> None:
    """Make the tenant's roles on a server, and let its user log in with the password in its row. May be repeated."""
    make_roles(tenant, cursor)
    let_in(cursor, tenant.user, passwords.reveal(tenant.password))


def make_roles(tenant: Tenant, cursor: Any) -> None:
    """Make the tenant's roles on a server where they are missing. None of them can log in."""
    if exists(cursor, owner_of(tenant)):
        return
    quote = cursor.db.ops.quote_name
    owner = quote(owner_of(tenant))
    statements = [f"CREATE ROLE {owner} NOLOGIN", f"GRANT {owner} TO CURRENT_USER"]
    for user in map(quote, users_of(tenant)):
        statements += [
            f"CREATE ROLE {user} NOLOGIN IN ROLE {owner}",
            # Only a member may see and end the user's sessions. PostgreSQL manual, 9.28.2.
            f"GRANT {user} TO CURRENT_USER",
            f"ALTER ROLE {user} SET role TO {owner}",
        ]
    # Sent as one, so that all of them are made or none.
    cursor.execute("; ".join(statements))


def let_in(cursor: Any, user: str, password: str) -> None:
    """Let a user log in with this password."""
    connection: Any = cursor.db
    # Hashed here, so that no log of the server shows the password. PostgreSQL manual, 32.12, PQencryptPasswordConn.
    hashed = connection.connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
    login = connection.ops.quote_name(user)
    cursor.execute(connection.ops.compose_sql(f"ALTER ROLE {login} LOGIN PASSWORD %s", [hashed.decode()]))


def shut_out(cursor: Any, *users: str) -> None:
    """Keep users from logging in on a server. Their present sessions continue."""
    for user in users:
        if exists(cursor, user):
            cursor.execute(f"ALTER ROLE {cursor.db.ops.quote_name(user)} NOLOGIN PASSWORD NULL")


def refuse_missing(tenant: Tenant) -> None:
    """Raise `TenantError` for a tenant without a user of its own."""
    if not tenant.user:
        raise TenantError(
            f"{tenant.slug!r} has no database user of its own: make a new tenant, and copy its database with pg_dump."
        )


def drop(tenant: Tenant, config: dict[str, Any]) -> None:
    """Drop the tenant's roles on a server. If they own databases there that are closed, let no user log in."""
    with server_cursor(tenant.alias, config) as cursor:
        query = "SELECT bool_or(datallowconn) FROM pg_database WHERE pg_get_userbyid(datdba) = %s"
        cursor.execute(query, [owner_of(tenant)])
        is_open = cursor.fetchone()[0]
        if is_open is not None:
            # The other user is that of an operation, which may have been interrupted.
            shut_out(cursor, *((next_user(tenant),) if is_open else users_of(tenant)))
            return
        # Not IF EXISTS, which asks for CREATEROLE even where there is no such role.
        names = [name for name in (*users_of(tenant), owner_of(tenant)) if exists(cursor, name)]
        if not names:
            return
        shut_out(cursor, *names)
        try:
            cursor.execute(f"DROP ROLE {', '.join(map(cursor.db.ops.quote_name, names))}")
        except DatabaseError as error:
            # Another tenant has granted them something in its own database. They stay, without a login.
            if getattr(error.__cause__, "sqlstate", None) not in STILL_USED:
                raise
            logger.warning(
                "The roles of the tenant %s could not be dropped, and cannot log in any more: drop them manually. %s",
                tenant.slug,
                one_line(error),
            )


def owner_in(cursor: Any, database: str) -> str | None:
    """Return the owner of a database, or `None` if there is no such database."""
    cursor.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [database])
    found = cursor.fetchone()
    return str(found[0]) if found else None


def exists(cursor: Any, name: str) -> bool:
    """Return whether a server has a role."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    return cursor.fetchone() is not None
