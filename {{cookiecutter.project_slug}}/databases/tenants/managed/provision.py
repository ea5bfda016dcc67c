"""Makes and migrates the database of a tenant. A run that was interrupted is completed by the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper

from databases.migrating import Result, one_line
from databases.tenants.managed import identity, migration_history, template
from databases.tenants.managed.ddl import create_database, database_exists, drop_database, session
from databases.tenants.managed.locks import named_lock, tenant_lock
from databases.tenants.managed.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed.migrate import BUSY, migrate_all, migrate_database, statuses_without_database
from databases.tenants.registry import Tenant, find
from databases.tenants.states import Status, TenantError
from databases.tenants.transitions import refuse

#: Statuses of tenants whose database must exist at the address in the registry.
SETTLED = (Status.PENDING, Status.ACTIVE, Status.SUSPENDED)
#: Called in turn before a database is copied from the template. Each returns whether it has provided the database.
#: Arguments: the settings of the new database, the name of its server, and a cursor on that server.
sources: list[Callable[[dict[str, Any], str, CursorWrapper], bool]] = []


def install() -> None:
    """Check the identity row at every new connection to a tenant."""
    identity.install()


def refuse_name(database: str) -> None:
    """Raise `ValueError` for a database name that is reserved for templates."""
    if database.lower().startswith(template.TEMPLATE):
        raise ValueError(
            f"{database!r} cannot be a tenant's database: names that begin with {template.TEMPLATE!r} are for the "
            "databases that tenants are copied from."
        )


def migrate_databases(*, pending_only: bool) -> Iterator[Result]:
    """Migrate the database of each tenant, and yield its result, or the migrations that it lacks."""
    tenants = Tenant.objects.exclude(status__in=statuses_without_database())
    if pending_only:
        for tenant in tenants:
            yield _pending(tenant)
        return
    try:
        with named_lock("migrate_tenants", BUSY):
            for outcome in migrate_all(tenants):
                yield Result(f"tenant_{outcome.slug}", outcome.applied, outcome.error)
    except TenantError as error:
        yield Result("tenants", [], str(error))


def _pending(tenant: Tenant) -> Result:
    try:
        with maintenance_connection(tenant.alias, maintenance_settings(tenant)) as connection:
            return Result(tenant.alias, migration_history.unapplied(migration_history.applied_in(connection)))
    except Exception as error:
        # The next tenant may be fine.
        return Result(tenant.alias, [], one_line(error))


def make_ready(tenant: Tenant) -> None:
    """Create the tenant's database if it does not exist, migrate it, and write its identity row.

    Raises `WrongDatabaseError` if the database belongs to another tenant, `TenantError` if the tenant's status does not
    allow it or another process has the tenant's lock, `OSError`, and Django's database errors.
    """
    with tenant_lock(tenant):
        tenant = find(tenant.slug)
        if tenant.status not in SETTLED:
            refuse(tenant, "make the database of")
        config = maintenance_settings(tenant)
        with session(config) as cursor:
            exists = database_exists(config, cursor)
            if exists and tenant.status == Status.PENDING and _is_half_made(tenant, config):
                drop_database(config)
                exists = False
            if not exists:
                _create(tenant, config, cursor)
        with maintenance_connection(tenant.alias, config) as connection:
            identity.refuse_others(connection, tenant, identity.read(connection))
            if not migration_history.is_complete(migration_history.applied_in(connection)):
                migrate_database(connection)
            identity.write(connection, tenant)


def _is_half_made(tenant: Tenant, config: dict[str, Any]) -> bool:
    """Return whether an interrupted run left this database. MySQL does not roll back a half applied migration.

    Its identity row names this tenant, and is unfinished. A database that someone else made has no identity row, and is
    never dropped.
    """
    with maintenance_connection(tenant.alias, config) as connection:
        found = identity.read(connection)
        identity.refuse_others(connection, tenant, found)
    return found is not None and found.migrations == identity.UNFINISHED


def _create(tenant: Tenant, config: dict[str, Any], cursor: CursorWrapper | None) -> None:
    if cursor is not None and any(take(config, tenant.server, cursor) for take in sources):
        return
    if template.can_copy(config):
        template.copy_to(config, tenant.server, cursor)
        return
    create_database(config)
    with maintenance_connection(tenant.alias, config) as connection:
        # Before the first migration: after an interruption the next run finds the unfinished row.
        identity.claim(connection, tenant)
