"""A row in each tenant's database that says whose it is, and which migrations it has; checked on each new connection.

The table is no model: it is in no state of migrations, and `flush` leaves it.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from . import history
from .context import CrossTenantError
from .lookup import TenantUnavailableError
from .registry import Tenant

logger = logging.getLogger(__name__)

TABLE = "tenant_identity"
READ = "SELECT slug, uid, migrations FROM tenant_identity"
MAKE = """CREATE TABLE IF NOT EXISTS tenant_identity (
    slug varchar(41) NOT NULL PRIMARY KEY, uid varchar(32) NOT NULL, migrations varchar(16) NOT NULL
)"""


class WrongDatabaseError(CrossTenantError):
    """A tenant's connection leads to the database of somebody else."""


class TenantBehindError(TenantUnavailableError):
    """A tenant's database lacks migrations that this release needs."""


class Identity(NamedTuple):
    """What the row says: whose database it is, and the fingerprint of its migrations."""

    slug: str
    uid: str
    migrations: str


def install() -> None:
    """Check every connection to a tenant made from now on, in whatever thread, but those for upkeep."""
    connection_created.connect(_check, dispatch_uid="databases.tenants.identity")


def read(connection: BaseDatabaseWrapper) -> Identity | None:
    """Return what the database says of itself, or `None` if nothing. Raises Django's database errors."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(READ)
            row = cursor.fetchone()
    except DatabaseError:
        # Only now, for this is asked of each new connection, and looking for a table among all takes far longer.
        if TABLE in connection.introspection.table_names():
            raise
        return None
    return row and Identity(*row)


def make_table(connection: BaseDatabaseWrapper) -> None:
    """Make the table where it is missing. Raises Django's database errors."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE)


def write(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
    """Have the database say that it is this tenant's, with the migrations of this release.

    Raises `WrongDatabaseError` where it says that it is another's, and Django's database errors.
    """
    found = read(connection)
    refuse_others(connection, tenant, found)
    row = Identity(tenant.slug, tenant.uid.hex, history.fingerprint())
    if found is None:
        make_table(connection)
    with connection.cursor() as cursor:
        if found is None:
            cursor.execute("INSERT INTO tenant_identity VALUES (%s, %s, %s)", row)
        else:
            cursor.execute("UPDATE tenant_identity SET migrations = %s", [row.migrations])


def refuse_others(connection: BaseDatabaseWrapper, tenant: Tenant, found: Identity | None) -> None:
    """Raise `WrongDatabaseError` where a database says that it is not this tenant's."""
    if found is not None and uuid.UUID(found.uid) != tenant.uid:
        raise WrongDatabaseError(
            f"The database of {connection.alias!r} on {tenant.server!r} says that it belongs to {found.slug!r}, of "
            "this registry or another one: look at the tenant's row, and at who restored or copied a database."
        )


def _check(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    tenant = getattr(connection, "tenant", None)
    if tenant is None:
        return
    try:
        found = read(connection)
        refuse_others(connection, tenant, found)
        if found is None or found.migrations != history.fingerprint():
            _refuse_behind(connection, found)
    except Exception:
        # Django would go on with the session, and not ask again.
        connection.close()
        raise


def _refuse_behind(connection: BaseDatabaseWrapper, found: Identity | None) -> None:
    lacking = history.lacking(history.applied_in(connection))
    if lacking:
        raise TenantBehindError(
            f"The database of {connection.alias!r} lacks migrations that this release needs ({_listed(lacking)}): run "
            "`migrate_tenants`, or say in TENANT_OLDEST_MIGRATIONS that the release works without them."
        )
    logger.warning(
        "The database of %s %s: run `migrate_tenants`",
        connection.alias,
        "does not say whose it is" if found is None else "has other migrations than this release",
    )


def _listed(keys: list[history.Key]) -> str:
    names = [f"{app}.{name}" for app, name in keys[:3]]
    return ", ".join(names) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
