"""Makes the database of a tenant and brings its tables up to date. Both may be done again at any time."""

from __future__ import annotations

from typing import Any

from django.db.backends.utils import CursorWrapper

from . import history, identity, template
from .alone import alone_with
from .copies import TenantCopy, discard
from .engines import create_database, database_exists, session
from .migrating import migrate_database
from .registry import Tenant, find
from .states import Status, refuse
from .upkeep import connected, settings_of

NEW = TenantCopy.Kind.NEW
#: Statuses of tenants whose database is to be there, where the registry says.
SETTLED = (Status.PENDING, Status.ACTIVE, Status.SUSPENDED)


def make_ready(tenant: Tenant) -> None:
    """Create the tenant's database where it is missing, migrate it, and have it say whose it is.

    Raises `WrongDatabaseError` where there is a database that says it is another's, `TenantError` where the tenant's
    status or another process does not allow it, `OSError`, and Django's database errors. What a run that was ended has
    left, the next one takes up.
    """
    with alone_with(tenant):
        tenant = find(tenant.slug)
        if tenant.status not in SETTLED:
            refuse(tenant, "make the database of")
        config = settings_of(tenant)
        if tenant.status == Status.PENDING:
            _discard_half_made(tenant, config)
        with session(config) as cursor:
            if not database_exists(config, cursor):
                TenantCopy.objects.create(tenant=tenant, kind=NEW, server=tenant.server, database=tenant.database)
                _create(config, tenant.server, cursor)
        with connected(tenant.alias, config) as connection:
            identity.refuse_others(connection, tenant, identity.read(connection))
            if not history.is_complete(history.applied_in(connection)):
                migrate_database(connection)
            identity.write(connection, tenant)
        TenantCopy.objects.filter(tenant=tenant, kind=NEW).delete()


def _discard_half_made(tenant: Tenant, config: dict[str, Any]) -> None:
    """Drop the database that a run was making when it ended: MySQL takes no half of a migration back.

    One that was there before has no note, and stays; so does one that says already whose it is.
    """
    for copy in TenantCopy.objects.filter(tenant=tenant, kind=NEW).select_related("tenant"):
        if database_exists(config):
            with connected(tenant.alias, config) as connection:
                if identity.read(connection):
                    continue
        discard(copy)


def _create(config: dict[str, Any], server: str, cursor: CursorWrapper | None) -> None:
    if template.can_copy(config):
        template.copy_to(config, server, cursor)
    else:
        create_database(config)
