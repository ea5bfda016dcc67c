"""Makes the database of a tenant and brings its tables up to date. Both may be done again at any time."""

from __future__ import annotations

from typing import Any

from django.db import connections

from . import history, identity, template
from .alone import alone_with
from .engines import create_database, database_exists
from .migrating import migrate_database
from .registry import Tenant, find
from .states import Status, refuse
from .upkeep import settings_of

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
        if not database_exists(config):
            _create(config, tenant.server)
        with connections.instead(tenant.alias, config) as connection:  # type: ignore[attr-defined]
            identity.refuse_others(connection, tenant, identity.read(connection))
            if not history.is_complete(history.applied_in(connection)):
                migrate_database(connection)
            identity.write(connection, tenant)


def _create(config: dict[str, Any], server: str) -> None:
    if template.can_copy(config):
        template.copy_to(config, server)
    else:
        create_database(config)
