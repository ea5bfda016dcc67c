"""Drops closed databases: of archived tenants, and those that tenants have moved away from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils import timezone

from databases.fleet.archive import archive_of
from databases.fleet.models import Kind, TenantArtifact, discard
from databases.fleet.states import FleetStatus
from databases.tenants.lifecycle import refuse_transaction
from databases.tenants.maintenance import inside
from databases.tenants.managed import identity
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.registry import Tenant, find
from databases.tenants.states import TenantError


def closed_before(age: timedelta, slugs: list[str]) -> list[TenantArtifact]:
    """Return the closed databases that are older, of these tenants or of all. Raises `UnknownTenantError`."""
    closed = TenantArtifact.objects.filter(kind=Kind.CLOSED, created__lt=timezone.now() - age).select_related("tenant")
    return list(closed.filter(tenant__in=[find(slug) for slug in slugs]) if slugs else closed)


def purge(artifact: TenantArtifact) -> None:
    """Drop a closed database, if all that it holds is elsewhere: in a verified file that has not changed, or served.

    Raises `TenantError` where it is not, or where another process works on the tenant, `OSError` and database errors.
    """
    refuse_transaction()
    with tenant_lock(artifact.tenant):
        refuse_last(artifact)
        discard(artifact)


def refuse_last(artifact: TenantArtifact) -> None:
    """Raise what keeps a closed database from being dropped."""
    tenant = find(artifact.tenant.slug)
    if tenant.status == FleetStatus.ARCHIVED:
        archive_of(tenant)
    elif (tenant.server, tenant.database) == (artifact.server, artifact.database):
        raise TenantError(
            f"{artifact.database!r} is the database of {tenant.slug!r}, which is {tenant.status}, so it is not "
            "dropped. Archive or move the tenant first."
        )
    else:
        _refuse_missing(tenant)


def for_all(
    artifacts: list[TenantArtifact], work: Callable[[TenantArtifact], None]
) -> Iterator[tuple[TenantArtifact, Exception | None]]:
    """Do `purge` or `refuse_last`, and yield each with the error that kept it. A failure does not stop the others."""
    for artifact in artifacts:
        try:
            work(artifact)
        except Exception as error:
            yield artifact, error
        else:
            yield artifact, None


def _refuse_missing(tenant: Tenant) -> None:
    """Raise `TenantError` unless the tenant's present database is there and says whose it is."""
    with inside(tenant, "answer") as connection:
        found = identity.read(connection)
        identity.refuse_others(connection, tenant, found)
    if found is None:
        raise TenantError(
            f"The current database of {tenant.slug!r} does not say that it is the tenant's: its identity row is "
            "missing. Run `migrate_tenants`, which writes the row, if the database is the right one."
        )
