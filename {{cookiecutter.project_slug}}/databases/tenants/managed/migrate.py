"""Migrates the databases of many tenants. Tenants with the same history share one plan.

A tenant whose history is complete needs no plan, and no signals are sent for it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import NamedTuple

import django
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from databases.migrating import one_line
from databases.tenants.managed import identity, migration_history
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed.migration_history import Key
from databases.tenants.managed.migration_plan import Plan, apply, plan_for
from databases.tenants.registry import Tenant, find
from databases.tenants.states import STATES, Status, TenantError

logger = logging.getLogger(__name__)

BUSY = "Another process migrates tenants: wait until it ends, and run this again."


def statuses_without_database() -> list[str]:
    """Return the statuses of tenants whose database does not exist, or is not complete."""
    return [status for status, state in STATES.items() if state.is_closed or status == Status.PENDING]


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
    plans: Plans = {}
    for tenant in tenants:
        yield _migrate(tenant.slug, plans)


def migrate_in_processes(tenants: list[Tenant], jobs: int) -> Iterator[Outcome]:
    """Migrate tenants in several processes, which pays for hundreds of tenants on a machine with many cores."""
    slugs = [tenant.slug for tenant in tenants]
    size = max(1, math.ceil(len(slugs) / (4 * jobs)))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        parts = [slugs[start : start + size] for start in range(0, len(slugs), size)]
        works = {pool.submit(_migrate_some, part): part for part in parts}
        for work in as_completed(works):
            try:
                yield from work.result()
            except Exception as error:
                # The process has died. Some of its tenants may be migrated, but it reported none.
                yield from (Outcome(slug, [], 0, f"its process ended: {error}") for slug in works[work])


def _migrate_some(slugs: list[str]) -> list[Outcome]:
    plans: Plans = {}
    return [_migrate(slug, plans) for slug in slugs]


@contextmanager
def _connected(slug: str) -> Iterator[tuple[Tenant, BaseDatabaseWrapper]]:
    """Within the block, the tenant's current row and a maintenance connection. Raises `TenantError` by its status."""
    tenant = find(slug)
    if tenant.status in statuses_without_database() or tenant.state.is_read_only:
        raise TenantError(f"it is {tenant.status}: {tenant.state.way_out}")
    with maintenance_connection(tenant.alias, maintenance_settings(tenant)) as connection:
        yield tenant, connection


def _history_in(connection: BaseDatabaseWrapper, tenant: Tenant) -> frozenset[Key] | None:
    """Return the applied migrations of a tenant, or `None` if nothing is to do. Raises `WrongDatabaseError`."""
    found = identity.read(connection)
    identity.refuse_others(connection, tenant, found)
    applied = migration_history.applied_in(connection)
    known = found is not None and found.migrations == migration_history.fingerprint()
    return None if known and migration_history.is_complete(applied) else applied


def migrate_database(connection: BaseDatabaseWrapper) -> None:
    """Migrate the database of a connection with Django's own command."""
    call_command("migrate", database=connection.alias, verbosity=0, interactive=False)


def _migrate(slug: str, plans: Plans) -> Outcome:
    began = time.monotonic()
    done: list[str] = []
    try:
        # Read from the registry again: it may have been moved or archived since it was listed.
        with _connected(slug) as (tenant, connection):
            if _history_in(connection, tenant) is not None:
                with tenant_lock(tenant):
                    _refuse_changed(tenant)
                    # Another process may have migrated it while this one waited.
                    applied = _history_in(connection, tenant)
                    if applied is not None:
                        _bring_up_to_date(connection, applied, plans, done)
                        identity.write(connection, tenant)
    except Exception as error:
        logger.debug("Migrating the tenant %s failed", slug, exc_info=error)
        return Outcome(slug, done, time.monotonic() - began, one_line(error))
    return Outcome(slug, done, time.monotonic() - began)


def _refuse_changed(tenant: Tenant) -> None:
    """Raise `TenantError` if another process has changed the tenant since its row was read."""
    if find(tenant.slug).connection_key != tenant.connection_key:
        raise TenantError("another process has changed it meanwhile: run this again")


def _bring_up_to_date(connection: BaseDatabaseWrapper, applied: frozenset[Key], plans: Plans, done: list[str]) -> None:
    if applied not in plans:
        plans[applied] = plan_for(connection)
    plan = plans[applied]
    if plan is None:
        migrate_database(connection)
        done += [f"{app}.{name}" for app, name in sorted(migration_history.applied_in(connection) - applied)]
        return
    if not applied:
        MigrationRecorder(connection).ensure_schema()
    apply(connection, plan, done.append)
