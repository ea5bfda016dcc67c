"""Tenants from one server to another: copied, compared, switched. The old database is kept until `drop_old`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet

from databases.fleet import database_roles, dumps, operations
from databases.fleet.archive import write_verified
from databases.fleet.checksums import checksums
from databases.fleet.freeze import allow_connections, freeze
from databases.fleet.models import Kind, TenantArtifact, claim_database, discard, discard_unfinished
from databases.fleet.operations import begin, complete, refuse_unknown_server, undone_after_error, wait_for_caches
from databases.tenants.managed.ddl import database_exists
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.registry import Tenant, find
from databases.tenants.states import Status
from databases.tenants.transitions import change


def move(slug: str, server: str, *, timeout: float = 10) -> Tenant:
    """Copy a tenant's database to another server, compare the two, and switch. Returns the tenant's row.

    Meanwhile the tenant is read-only; other tenants are not affected. The old database is kept, closed for connections.
    Arguments: the slug, the server's name, and the seconds that open transactions are given to end. May be repeated
    after any interruption. After an error the tenant is where it was. Raises `ValueError` for a server that cannot be
    used, `TenantError`, `LookupError`, Django's database errors, and `RuntimeError` inside a transaction.
    """
    with tenant_lock(find(slug)):
        tenant = find(slug)
        refuse_unknown_server(server)
        if tenant.server == server:
            if tenant.status != Status.ACTIVE or not _old(tenant):
                raise ValueError(f"The tenant {slug!r} is on {server!r} already.")
        else:
            tenant = begin(slug, "move")
            with undone_after_error(tenant, maintenance_settings(tenant), "finish moving"):
                _copy_and_switch(tenant, server, timeout)
        # All of them, each time: an earlier run may have been killed before this.
        for artifact in _old(tenant):
            _close_old(artifact)
        return find(slug)


def cancel(slug: str) -> Tenant:
    """Cancel an interrupted move: the tenant stays where it was. Returns its row. Raises `TenantError`."""
    return operations.cancel(slug, "finish moving")


def drop_old(slug: str, folder: Path, *, timeout: float = 10) -> list[TenantArtifact]:
    """Archive the databases that a tenant has moved away from, drop them, and return their archives.

    Arguments: the slug, the folder for the files, and seconds as for `move`. Raises like `archive.archive`.
    """
    archives = []
    with tenant_lock(find(slug)):
        tenant = find(slug)
        discard_unfinished(tenant)
        for artifact in _old(tenant):
            config = artifact.connection_settings()
            if database_exists(config):
                archives.append(_archive_old(artifact, config, folder, timeout))
            discard(artifact)
            database_roles.drop(tenant, config)
    return archives


def _copy_and_switch(tenant: Tenant, server: str, timeout: float) -> None:
    discard_unfinished(tenant)
    source = maintenance_settings(tenant)
    # After this every process has replaced its sessions that write by read-only ones.
    wait_for_caches()
    freeze(tenant.alias, source, timeout)
    target = claim_database(tenant, Kind.TARGET, server)
    dumps.copy(source, target.connection_settings())
    complete(tenant, target.connection_settings(), checksums(tenant.alias, source))
    _switch(tenant, target)
    # After this no process reads the old database.
    wait_for_caches()


def _switch(tenant: Tenant, target: TenantArtifact) -> None:
    """Make the target the tenant's database, and the tenant's database an artifact, in one transaction."""
    server, database = target.server, target.database
    with transaction.atomic(using=router.db_for_write(Tenant)):
        target.kind, target.server, target.database = Kind.OLD, tenant.server, tenant.database
        target.save()
        change(tenant.slug, "finish moving", server=server, database=database)


def _close_old(artifact: TenantArtifact) -> None:
    """Close a database for connections, and its server for the tenant's users."""
    config, current = artifact.connection_settings(), maintenance_settings(find(artifact.tenant.slug))
    allow_connections(artifact.tenant.alias, config, False)
    # Two names in TENANT_SERVERS may lead to one server, where the tenant's users must be able to log in.
    if not database_exists({**config, "NAME": current["NAME"]}):
        database_roles.retire(artifact.tenant, config, *database_roles.users_of(artifact.tenant))


def _archive_old(artifact: TenantArtifact, config: dict[str, Any], folder: Path, timeout: float) -> TenantArtifact:
    tenant = artifact.tenant
    allow_connections(tenant.alias, config, True)
    try:
        freeze(tenant.alias, config, timeout)
        with undone_after_error(tenant, None):
            return write_verified(tenant, config, artifact.server, folder, Kind.OLD_ARCHIVE)
    finally:
        allow_connections(tenant.alias, config, False)


def _old(tenant: Tenant) -> QuerySet[TenantArtifact]:
    return TenantArtifact.objects.filter(tenant=tenant, kind=Kind.OLD).select_related("tenant")
