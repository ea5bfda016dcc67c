"""The identity row in each tenant's database: its tenant and its migrations. Each new connection is checked by it.

The table has no model: it is in no migration state, and `flush` does not empty it.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.availability import is_outage
from databases.tenants.context import CrossTenantError, TenantUnavailableError
from databases.tenants.managed import migration_history
from databases.tenants.registry import Tenant, TenantInfo

logger = logging.getLogger(__name__)

TABLE = "tenant_identity"
#: Stands in place of the fingerprint until the database is complete.
UNFINISHED = ""
READ = "SELECT slug, uid, migrations FROM tenant_identity"
MAKE = """CREATE TABLE IF NOT EXISTS tenant_identity (
    slug varchar(41) NOT NULL PRIMARY KEY, uid varchar(32) NOT NULL, migrations varchar(16) NOT NULL
)"""


class WrongDatabaseError(CrossTenantError):
    """A tenant's connection leads to a database that belongs to another tenant."""


class TenantBehindError(TenantUnavailableError):
    """A tenant's database lacks migrations that this release needs."""


class Identity(NamedTuple):
    """The row: the tenant's slug and uid, and the fingerprint of its migrations."""

    slug: str
    uid: str
    migrations: str


def install() -> None:
    """Check every new connection to a tenant, in all threads. Maintenance connections are not checked."""
    connection_created.connect(_check, dispatch_uid="databases.tenants.managed.identity")


def read(connection: BaseDatabaseWrapper) -> Identity | None:
    """Return the identity row of a database, or `None` if it has none. Raises Django's database errors."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(READ)
            row = cursor.fetchone()
    except DatabaseError as error:
        # Only after an error: listing all tables for each new connection would take far longer than the query. After an
        # outage it would wait once more.
        if is_outage(error.__cause__) or TABLE in connection.introspection.table_names():
            raise
        return None
    return row and Identity(*row)


def make_table(connection: BaseDatabaseWrapper) -> None:
    """Make the table if it does not exist. Raises Django's database errors."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE)


def write(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
    """Write the identity row: this tenant, with the migrations of this release.

    Raises `WrongDatabaseError` if the row names another tenant, and Django's database errors.
    """
    found = read(connection)
    refuse_others(connection, tenant, found)
    if found is None:
        make_table(connection)
        insert(connection, tenant)
        return
    with connection.cursor() as cursor:
        row = tenant.slug, migration_history.fingerprint()
        cursor.execute("UPDATE tenant_identity SET slug = %s, migrations = %s", row)


def claim(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
    """Mark a new, empty database as unfinished and as this tenant's. Raises Django's database errors."""
    make_table(connection)
    insert(connection, tenant, UNFINISHED)


def insert(connection: BaseDatabaseWrapper, tenant: Tenant, migrations: str | None = None) -> None:
    """Insert the identity row of a database that has the table and no row. Raises Django's database errors.

    Arguments: the connection, the tenant, and the fingerprint of its migrations: this release's, if not given.
    """
    row = Identity(tenant.slug, tenant.uid.hex, migration_history.fingerprint() if migrations is None else migrations)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tenant_identity VALUES (%s, %s, %s)", row)


def refuse_others(connection: BaseDatabaseWrapper, tenant: Tenant | TenantInfo, found: Identity | None) -> None:
    """Raise `WrongDatabaseError` if the identity row names another tenant."""
    if found is not None and found.uid != tenant.uid.hex:
        raise WrongDatabaseError(
            f"The database of {connection.alias!r} on {tenant.server!r} belongs to {found.slug!r}, a tenant of this or "
            "another registry. Check the tenant's registry row, and whether a database was restored or copied here."
        )


def _check(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    lease = getattr(connection, "lease", None)
    if lease is None or not lease.is_new:
        return
    found = read(connection)
    refuse_others(connection, connection.tenant, found)  # type: ignore[attr-defined]
    if found is None or found.migrations != migration_history.fingerprint():
        _refuse_behind(connection, found)


def _refuse_behind(connection: BaseDatabaseWrapper, found: Identity | None) -> None:
    lacking = migration_history.lacking(migration_history.applied_in(connection))
    if lacking:
        raise TenantBehindError(
            f"The database of {connection.alias!r} lacks migrations that this release needs ({_listed(lacking)}): run "
            "`migrate_tenants`, or allow older migrations in TENANT_OLDEST_MIGRATIONS."
        )
    logger.warning(
        "The database of %s %s: run `migrate_tenants`",
        connection.alias,
        "has no identity row" if found is None else "has other migrations than this release",
    )


def _listed(keys: list[migration_history.Key]) -> str:
    names = [f"{app}.{name}" for app, name in keys[:3]]
    return ", ".join(names) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
