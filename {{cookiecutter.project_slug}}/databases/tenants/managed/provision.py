"""Makes and migrates the database of a tenant. A run that was interrupted is completed by the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandParser
from django.db.backends.utils import CursorWrapper

from databases.migrating import Result, one_line
from databases.tenants.maintenance import deadline, inside, maintenance_settings
from databases.tenants.managed import identity, migration_history, owners, template
from databases.tenants.managed.ddl import create_database, database_exists, drop_database, session
from databases.tenants.managed.locks import named_lock, tenant_lock
from databases.tenants.managed.migrate import BUSY, connected, migrate_all, migrate_database, statuses_without_database
from databases.tenants.registry import Tenant, find
from databases.tenants.states import Status, TenantError
from databases.tenants.transitions import change, delete_pending, refuse

#: Statuses of tenants whose database must exist at the address in the registry.
SETTLED = (Status.PENDING, Status.ACTIVE, Status.SUSPENDED)


def install() -> None:
    """Check the identity row at every new connection to a tenant."""
    identity.install()


def refuse_name(database: str) -> None:
    """Raise `ValueError` for a database name that is reserved for templates."""
    if database.lower().startswith(template.TEMPLATE):
        raise ValueError(
            f"{database!r} cannot be a tenant's database: names that begin with {template.TEMPLATE!r} are for the "
            "databases that tenants are copied from. Name another one."
        )


def add_arguments(parser: CommandParser) -> None:
    """Add no options to `create_tenant`."""


def place(options: dict[str, Any]) -> dict[str, str]:
    """Return the arguments of `create_tenant` for the options of its command."""
    return {"database": options["database"]}


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
        with connected(tenant.slug, "answer") as (_, connection):
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
            owner = owners.owner().make(tenant, cursor) if tenant.status == Status.PENDING else ""
            if exists and tenant.status == Status.PENDING:
                # An earlier run may have ended before it was given.
                owners.owner().give(tenant, config, cursor)
                if _is_half_made(tenant):
                    drop_database(config)
                    exists = False
            if not exists and tenant.status != Status.PENDING:
                raise TenantError(
                    f"The database of {tenant.slug!r}, which is {tenant.status}, is missing: restore it from a backup."
                )
            is_copy = not exists and _create(tenant, config, cursor, owner)
        with inside(tenant) as connection:
            if is_copy:
                # It has all migrations and no row. If this process is killed before the row, the next run writes it.
                identity.insert(connection, tenant)
                return
            with deadline(connection, "answer"):
                identity.refuse_others(connection, tenant, identity.read(connection))
                is_complete = migration_history.is_complete(migration_history.applied_in(connection))
            if not is_complete:
                migrate_database(connection, tenant)
            identity.write(connection, tenant)


def correct(tenant: Tenant, *, server: str, database: str) -> Tenant:
    """Give a pending tenant another database, and return its row.

    Raises `ValueError` if it is not pending, `TenantError` if its current database was begun or another process has the
    tenant's lock, `StateError`, and Django's database errors.
    """
    if tenant.status != Status.PENDING:
        raise ValueError(
            f"The tenant {tenant.slug!r} exists, with the database {tenant.database!r} on {tenant.server!r}: an alias "
            "must never lead to another database. Run this without another place, or choose another slug."
        )
    with tenant_lock(tenant):
        tenant = find(tenant.slug)
        config = maintenance_settings(tenant)
        if database_exists(config) and _is_begun(tenant, config):
            raise TenantError(
                f"The database {tenant.database!r} of {tenant.slug!r} was begun: complete it with `create_tenant "
                f"{tenant.slug}`, or drop it with `purge_pending_tenant {tenant.slug}` first."
            )
        owners.owner().remove(tenant, config)
        return change(tenant.slug, "correct", server=server, database=database)


def purge(tenant: Tenant) -> None:
    """Drop the half-made database of a pending tenant, and delete its row.

    Raises `WrongDatabaseError` and `TenantError` for any other database, which is kept with the row, `StateError`, and
    Django's database errors.
    """
    with tenant_lock(tenant):
        tenant = find(tenant.slug)
        if tenant.status != Status.PENDING:
            refuse(tenant, "purge")
        config = maintenance_settings(tenant)
        if database_exists(config):
            is_ours = owners.owner().has_made(tenant, config)
            if is_ours:
                with session(config) as cursor:
                    # Else the tenant's user may not read the row yet.
                    owners.owner().give(tenant, config, cursor)
            if is_ours is False or not _is_half_made(tenant, without_row=bool(is_ours)):
                raise TenantError(
                    f"The database {tenant.database!r} does not say that it is a half-made one of {tenant.slug!r}. "
                    f"Complete it with `create_tenant {tenant.slug}`; if it is someone else's, leave it with "
                    f"`create_tenant {tenant.slug} --database OTHER`."
                )
            drop_database(config)
        owners.owner().remove(tenant, config)
        delete_pending(tenant)


def _is_half_made(tenant: Tenant, *, without_row: bool = False) -> bool:
    """Return whether an interrupted run left this database. MySQL does not roll back a half applied migration.

    Its identity row names this tenant, and is unfinished. A database that someone else made has no identity row, and is
    never dropped: the argument is the answer for one without. Raises `WrongDatabaseError` for that of another tenant.
    """
    with inside(tenant, "answer") as connection:
        found = identity.read(connection)
        identity.refuse_others(connection, tenant, found)
    return found.migrations == identity.UNFINISHED if found else without_row


def _is_begun(tenant: Tenant, config: dict[str, Any]) -> bool:
    is_ours = owners.owner().has_made(tenant, config)
    if is_ours is not None:
        return is_ours
    with inside(tenant, "answer") as connection:
        found = identity.read(connection)
    return found is not None and found.uid == tenant.uid.hex


def _create(tenant: Tenant, config: dict[str, Any], cursor: CursorWrapper | None, owner: str) -> bool:
    """Make the tenant's database, and return whether it is a copy that needs no migration."""
    if template.can_copy(config):
        with suppress(template.TemplateTenantError):
            template.copy_to(config, tenant.server, cursor, owner)
            owners.owner().give(tenant, config, cursor)
            return True
    create_database(config, owner, owners.owner().options)
    owners.owner().give(tenant, config, cursor)
    with inside(tenant) as connection:
        # Before the first migration: after an interruption the next run finds the unfinished row.
        identity.claim(connection, tenant)
    return False
