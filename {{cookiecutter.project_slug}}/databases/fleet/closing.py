"""Closes a tenant's database at its server, so that only the operation that does so gets in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper

from databases.fleet import roles
from databases.lock_timeout import LOCK_NOT_AVAILABLE
from databases.secret import Secret
from databases.tenants.credentials import passwords
from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.ddl import database_exists
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

#: Seconds for which sessions that were terminated may take to end.
ENDING = 10
#: Seconds between two looks at what an operation waits for.
PAUSE = 0.05
#: The sessions on a database, and of users elsewhere, and whether each has been idle for a while.
IDLE = """
SELECT pid, state = 'idle' AND state_change < clock_timestamp() - interval '1 second' FROM pg_stat_activity
WHERE (datname = %s OR usename = ANY(%s)) AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
"""
ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)"


def wait_for_caches() -> None:
    """Wait until no process uses a registry row that it cached before now."""
    # Longer than the cache: a process may have read the old row just before the change, and connect after that.
    time.sleep(settings.TENANT_CACHE_SECONDS * 1.5)


def close(tenant: Tenant, password: Secret, timeout: float) -> dict[str, Any]:
    """Keep the tenant's user from logging in, end all sessions, and return the settings for the operation's own.

    Arguments: the tenant, whose status keeps requests away by now; a password for its other user; and the seconds that
    open transactions are given to end. Raises `TenantError` where sessions do not end, and Django's database errors.
    `open_again` undoes this.
    """
    wait_for_caches()
    config = maintenance_settings(tenant)
    with server_cursor(tenant.alias, config) as cursor:
        # An interrupted run may have closed it already.
        with_force(cursor, tenant, lambda: allow_connections(cursor, config["NAME"], True))
        with_force(cursor, tenant, lambda: roles.shut_out(cursor, *roles.users_of(tenant)))
        # Those that replicate the database write nothing, and end when it is sealed.
        which = IDLE + " AND backend_type <> 'walsender'"
        _end_sessions(cursor, config["NAME"], roles.users_of(tenant), timeout, which)
        # It is in no dump, and nobody could end it in a closed database.
        cursor.execute("SELECT gid FROM pg_prepared_xacts WHERE database = %s", [config["NAME"]])
        if prepared := cursor.fetchone():
            raise TenantError(f"{tenant.slug!r} has a prepared transaction: commit or roll back {prepared[0]!r} first.")
    return own_settings(tenant, config, password)


def own_settings(tenant: Tenant, config: dict[str, Any], password: Secret) -> dict[str, Any]:
    """Let the user that the tenant does not use log in with a password, and return these settings with that user."""
    user = roles.next_user(tenant)
    with server_cursor(tenant.alias, config) as cursor:
        roles.let_in(cursor, user, password)
    return {**config, "USER": user, "PASSWORD": password}


def seal(tenant: Tenant, config: dict[str, Any]) -> None:
    """Close a database for connections of all users, and its server for the tenant's users."""
    with server_cursor(tenant.alias, config) as cursor:
        roles.shut_out(cursor, *roles.users_of(tenant))
        allow_connections(cursor, config["NAME"], False)
        _end_sessions(cursor, config["NAME"], roles.users_of(tenant), 0)


def open_again(tenant: Tenant, config: dict[str, Any]) -> None:
    """Let the tenant's user, and no other one, into a database."""
    with server_cursor(tenant.alias, config) as cursor:
        if database_exists(config, cursor):
            with_force(cursor, tenant, lambda: allow_connections(cursor, config["NAME"], True))
        with_force(cursor, tenant, lambda: roles.shut_out(cursor, roles.next_user(tenant)))
        roles.let_in(cursor, tenant.user, passwords.reveal(tenant.password))


def with_force(cursor: CursorWrapper, tenant: Tenant, work: Callable[[], None]) -> None:
    """Do this work on the tenant's database or users; if their sessions hold it, end these, and do it again."""
    try:
        work()
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        # A transaction with ALTER ROLE or ALTER DATABASE, for example in the maintenance database.
        _join(cursor, roles.users_of(tenant))
        cursor.execute(ENDED, [list(roles.users_of(tenant))])
        work()


def _join(cursor: CursorWrapper, users: tuple[str, str]) -> None:
    # Up to PostgreSQL 15, a user may take from the server's user the membership in itself that ending sessions needs.
    cursor.execute("; ".join(f"GRANT {cursor.db.ops.quote_name(user)} TO CURRENT_USER" for user in users))


def allow_connections(cursor: CursorWrapper, database: str, allowed: bool) -> None:
    """Open or close a database for connections of all users."""
    name = cursor.db.ops.quote_name(database)
    cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'true CONNECTION LIMIT -1' if allowed else 'false'}")


def _end_sessions(
    cursor: CursorWrapper, database: str, users: tuple[str, str], timeout: float, which: str = IDLE
) -> None:
    _join(cursor, users)
    deadline = time.monotonic() + timeout

    def have_ended() -> bool:
        cursor.execute(which, [database, list(users)])
        sessions = cursor.fetchall()
        # A process replaces an idle session without an error; a transaction would be lost, so it is given time.
        late = time.monotonic() > deadline
        for pid in [pid for pid, is_idle in sessions if is_idle or late]:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        return not sessions

    late = f"Sessions on {database} do not end: end them, and run this again."
    wait_until(have_ended, timeout + ENDING, late)


def wait_until(is_done: Callable[[], bool], seconds: float, late: str) -> None:
    """Wait until something is done. Raises `TenantError` with the text `late` after this number of seconds."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            raise TenantError(late)
        time.sleep(PAUSE)
