"""Brings the databases of many tenants up to date: what they have in common is worked out once.

Tenants with the same history share a plan. Those without anything to do are known by their history alone, and get no
signals.
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

from . import history, identity
from .alone import alone_with
from .history import Key
from .plans import Plan, apply, plan_for
from .registry import Tenant, find
from .states import WAYS_OUT, Status, TenantError
from .upkeep import connected, settings_of

logger = logging.getLogger(__name__)

#: Those that have no database, or one that is being made.
WITHOUT_DATABASE = (Status.PENDING, Status.ARCHIVING, Status.ARCHIVED, Status.RESTORING)


class Outcome(NamedTuple):
    """How it went with one tenant: the migrations that were applied, and an error or nothing."""

    slug: str
    applied: list[str]
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        return f"done ({len(self.applied)} applied)" if self.applied else "done (nothing to do)"


#: By what the tenants that share a plan have; there are as many as releases that tenants were left at.
Plans = dict[frozenset[Key], "Plan | None"]


def migrate_tenant(slug: str) -> Outcome:
    """Migrate one tenant, as a task may. Raises `UnknownTenantError`; what else fails is in the outcome."""
    return next(migrate_all([find(slug)]))


def migrate_all(tenants: Iterable[Tenant]) -> Iterator[Outcome]:
    """Migrate tenants one after the other, and yield how it went with each."""
    plans: Plans = {}
    for tenant in tenants:
        yield _migrate(tenant.slug, plans)


def migrate_in_processes(tenants: list[Tenant], jobs: int) -> Iterator[Outcome]:
    """The same in a number of processes, which is worth while for hundreds of tenants on a machine with many cores."""
    slugs = [tenant.slug for tenant in tenants]
    size = max(1, math.ceil(len(slugs) / (4 * jobs)))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        parts = [slugs[start : start + size] for start in range(0, len(slugs), size)]
        works = {pool.submit(_migrate_some, part): part for part in parts}
        for work in as_completed(works):
            try:
                yield from work.result()
            except Exception as error:
                # The process has died: what it was about to do is not known to be done.
                yield from (Outcome(slug, [], 0, f"its process ended: {error}") for slug in works[work])


def _migrate_some(slugs: list[str]) -> list[Outcome]:
    plans: Plans = {}
    return [_migrate(slug, plans) for slug in slugs]


@contextmanager
def _connected(slug: str) -> Iterator[tuple[Tenant, BaseDatabaseWrapper]]:
    """Within the block, a tenant as the registry has it now, and a connection for upkeep. Raises what refuses it."""
    tenant = find(slug)
    if tenant.status in WITHOUT_DATABASE:
        raise TenantError(f"it is {tenant.status}: {WAYS_OUT[tenant.status]}")
    if tenant.status == Status.MOVING:
        raise TenantError("it is moving to another server: run this again when it has moved")
    with connected(tenant.alias, settings_of(tenant)) as connection:
        yield tenant, connection


def _history_in(connection: BaseDatabaseWrapper, tenant: Tenant) -> frozenset[Key] | None:
    """Return the migrations that a tenant has, or `None` where there is nothing to do. Raises what refuses it."""
    found = identity.read(connection)
    identity.refuse_others(connection, tenant, found)
    applied = history.applied_in(connection)
    known = found is not None and found.migrations == history.fingerprint()
    return None if known and history.is_complete(applied) else applied


def migrate_database(connection: BaseDatabaseWrapper) -> None:
    """Apply the migrations that the database of a connection lacks, as Django does it."""
    call_command("migrate", database=connection.alias, verbosity=0, interactive=False)


def _migrate(slug: str, plans: Plans) -> Outcome:
    began = time.monotonic()
    done: list[str] = []
    try:
        # As the registry has it now: it may have been moved or archived since it was listed.
        with _connected(slug) as (tenant, connection):
            if _history_in(connection, tenant) is not None:
                with alone_with(tenant):
                    _refuse_changed(tenant)
                    # Another process may have migrated it just before.
                    applied = _history_in(connection, tenant)
                    if applied is not None:
                        _bring_up_to_date(connection, applied, plans, done)
                        identity.write(connection, tenant)
    except Exception as error:
        logger.debug("Migrating the tenant %s failed", slug, exc_info=error)
        reason = " ".join(str(error).split()) or type(error).__name__
        return Outcome(slug, done, time.monotonic() - began, reason)
    return Outcome(slug, done, time.monotonic() - began)


def _refuse_changed(tenant: Tenant) -> None:
    """Raise `TenantError` where another process has begun or ended something while this one waited."""
    if find(tenant.slug).place != tenant.place:
        raise TenantError("another process has changed it meanwhile: run this again")


def _bring_up_to_date(connection: BaseDatabaseWrapper, applied: frozenset[Key], plans: Plans, done: list[str]) -> None:
    if applied not in plans:
        plans[applied] = plan_for(connection)
    plan = plans[applied]
    if plan is None:
        migrate_database(connection)
        done += [f"{app}.{name}" for app, name in sorted(history.applied_in(connection) - applied)]
        return
    if not applied:
        MigrationRecorder(connection).ensure_schema()
    apply(connection, plan, done.append)
