"""Migrates the databases of many tenants. Tenants with the same history share one plan.

A tenant whose history is complete needs no plan, and no signals are sent for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.core.management import call_command
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from databases import lock_timeout
from databases.migrating import one_line
from databases.tenants.context import use_tenant
from databases.tenants.maintenance import deadline, inside
from databases.tenants.managed import identity, migration_history
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.migration_history import Key
from databases.tenants.managed.migration_plan import Plan, apply, plan_for
from databases.tenants.registry import Tenant, find
from databases.tenants.states import STATES, Status, TenantError

logger = logging.getLogger(__name__)

BUSY = "Another process migrates tenants: wait until it ends, and run this again."


def statuses_without_database() -> list[str]:
    """Return the statuses of tenants whose database does not exist, or is not complete."""
    return [status for status, state in STATES.items() if state.is_gone or status == Status.PENDING]


class Outcome(NamedTuple):
    """The result for one tenant: the applied migrations, and an error or an empty string."""

    slug: str
    applied: list[str]
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        return f"done ({len(self.applied)} applied)" if self.applied else "done (nothing to do)"


#: Plans by the migrations that are applied already. There is one for each release that tenants have.
Plans = dict[frozenset[Key], "Plan | None"]


def migrate_tenant(slug: str) -> Outcome:
    """Migrate one tenant, for example in a task. Raises `UnknownTenantError`; other errors are in the outcome."""
    return next(migrate_all([find(slug)]))


def migrate_all(tenants: Iterable[Tenant]) -> Iterator[Outcome]:
    """Migrate tenants one after the other, and yield their outcomes."""
    return migrate_slugs(tenant.slug for tenant in tenants)


def migrate_slugs(slugs: Iterable[str]) -> Iterator[Outcome]:
    """Migrate the tenants with these slugs one after the other, and yield their outcomes."""
    plans: Plans = {}
    for slug in slugs:
        yield _migrate(slug, plans)


@contextmanager
def connected(slug: str, limit: str = "work") -> Iterator[tuple[Tenant, BaseDatabaseWrapper]]:
    """Within the block, the tenant's current row and a connection like that of `inside`.

    Raises `TenantError` by its status.
    """
    tenant = find(slug)
    if tenant.status in statuses_without_database() or tenant.state.is_closed:
        raise TenantError(f"it is {tenant.status}: {tenant.state.way_out}")
    with inside(tenant, limit) as connection:
        yield tenant, connection


def _history_in(connection: BaseDatabaseWrapper, tenant: Tenant) -> frozenset[Key] | None:
    """Return the applied migrations of a tenant, or `None` if nothing is to do. Raises `WrongDatabaseError`."""
    with deadline(connection, "answer"):
        found = identity.read(connection)
        identity.refuse_others(connection, tenant, found)
        applied = migration_history.applied_in(connection)
    known = found is not None and found.migrations == migration_history.fingerprint()
    return None if known and migration_history.is_complete(applied) else applied


def migrate_database(connection: BaseDatabaseWrapper, tenant: Tenant) -> None:
    """Migrate a tenant's database with Django's own command. Data migrations run under the tenant.

    Raises `TenantError` if a table stays locked or the server fails, and what a migration raises.
    """
    try:
        with use_tenant(tenant.slug, switch=True):
            call_command("migrate", database=connection.alias, verbosity=0, interactive=False)
    except OperationalError as error:
        raise TenantError(lock_timeout.advice(error) or one_line(error)) from error


def _migrate(slug: str, plans: Plans) -> Outcome:
    began = time.monotonic()
    done: list[str] = []
    try:
        # Read from the registry again: it may have been moved or archived since it was listed.
        with connected(slug) as (tenant, connection):
            if _history_in(connection, tenant) is not None:
                with tenant_lock(tenant):
                    _refuse_changed(tenant)
                    # Another process may have migrated it while this one waited.
                    applied = _history_in(connection, tenant)
                    if applied is not None:
                        _bring_up_to_date(connection, tenant, applied, plans, done)
                        identity.write(connection, tenant)
    except Exception as error:
        logger.debug("Migrating the tenant %s failed", slug, exc_info=error)
        return Outcome(slug, done, time.monotonic() - began, one_line(error))
    return Outcome(slug, done, time.monotonic() - began)


def _refuse_changed(tenant: Tenant) -> None:
    """Raise `TenantError` if another process has changed the tenant since its row was read."""
    if find(tenant.slug).info.connection_key != tenant.info.connection_key:
        raise TenantError("another process has changed it in the meantime: run this again")


def _bring_up_to_date(
    connection: BaseDatabaseWrapper, tenant: Tenant, applied: frozenset[Key], plans: Plans, done: list[str]
) -> None:
    if applied not in plans:
        plans[applied] = plan_for(connection, applied)
    plan = plans[applied]
    if plan is None:
        migrate_database(connection, tenant)
        done += [f"{app}.{name}" for app, name in sorted(migration_history.applied_in(connection) - applied)]
        return
    if not applied:
        MigrationRecorder(connection).ensure_schema()
    # A data migration may ask for its tenant. Another one is current if this was started inside its request.
    with use_tenant(tenant.slug, switch=True):
        apply(connection, plan, done.append)
