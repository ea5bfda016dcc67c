"""Tenants into files and back. A database is dropped only after its archive was loaded and held the same rows."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from databases.fleet import database_roles, dumps, operations
from databases.fleet.checksums import checksums, refuse_difference
from databases.fleet.freeze import allow_connections, freeze
from databases.fleet.models import Kind, TenantArtifact, claim_database, discard, discard_unfinished
from databases.fleet.operations import begin, complete, refuse_unknown_server, undone_after_error, wait_for_caches
from databases.tenants.managed.ddl import database_exists, drop_database
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.registry import Tenant, find
from databases.tenants.states import Status, TenantError
from databases.tenants.transitions import change


def archive(slug: str, folder: Path, *, timeout: float = 10) -> TenantArtifact:
    """Write a tenant's database into a file, load the file into a scratch database, and only then drop the database.

    Arguments: the slug, the folder for the file, and the seconds that open transactions are given to end. Returns the
    archive. May be repeated after any interruption. After an error the tenant is as it was. Raises `TenantError`,
    `LookupError`, `OSError` and Django's database errors, and `RuntimeError` inside a transaction.
    """
    with tenant_lock(find(slug)):
        back = ["cancel archiving", *(["resume"] if find(slug).status == Status.ACTIVE else [])]
        tenant = begin(slug, "archive")
        config = maintenance_settings(tenant)
        if _is_being_dropped(tenant):
            # An earlier run was interrupted. Whatever the database holds now, the archive holds what it held then.
            artifact, _ = archive_of(tenant)
        else:
            with undone_after_error(tenant, config, *back):
                discard_unfinished(tenant)
                wait_for_caches()
                freeze(tenant.alias, config, timeout)
                artifact = write_verified(tenant, config, tenant.server, folder, Kind.DROPPING)
        # From here on the archive cannot be cancelled; the next run continues.
        if database_exists(config):
            allow_connections(tenant.alias, config, False)
            drop_database(config)
        database_roles.drop(tenant, config)
        with transaction.atomic(using=router.db_for_write(Tenant)):
            artifact.kind = Kind.ARCHIVE
            artifact.save()
            change(slug, "finish archiving")
        return artifact


def cancel(slug: str) -> Tenant:
    """Cancel an interrupted archiving: the tenant is then suspended. Raises `TenantError` and `LookupError`."""
    if _is_being_dropped(find(slug)):
        raise TenantError(f"The archive of {slug!r} is complete already: run `archive_tenant` again.")
    return operations.cancel(slug, "cancel archiving")


def restore(slug: str, file: Path | None = None, server: str = "") -> Tenant:
    """Restore a tenant from its archive into a new database, and open its pages. Returns its row.

    Arguments: the slug, the archive's file if it was moved, and the server if another than before. May be repeated
    after any interruption. After an error the tenant is archived as before. Raises like `archive`.
    """
    with tenant_lock(find(slug)):
        kept, path = archive_of(find(slug), file)
        server = server or kept.server
        refuse_unknown_server(server)
        tenant = begin(slug, "restore")
        with undone_after_error(tenant, None, "cancel restoring"):
            discard_unfinished(tenant)
            target = claim_database(tenant, Kind.TARGET, server)
            config = target.connection_settings()
            dumps.load(path, config)
            complete(tenant, config, json.loads(kept.content))
            with transaction.atomic(using=router.db_for_write(Tenant)):
                change(slug, "finish restoring", server=server, database=target.database)
                target.delete()
        return find(slug)


def archive_of(tenant: Tenant, file: Path | None = None) -> tuple[TenantArtifact, Path]:
    """Return a tenant's archive, the newest if no file is named, and its file.

    Archives of databases that the tenant has moved away from hold older rows: their files must be named. Raises
    `TenantError` if there is no archive, or if the file has changed since it was verified, and `OSError`.
    """
    kinds = [Kind.ARCHIVE, Kind.DROPPING] + ([Kind.OLD_ARCHIVE] if file else [])
    archives = TenantArtifact.objects.filter(tenant=tenant, kind__in=kinds)
    newest = archives.last()
    path = file or Path(newest.path if newest else "")
    if newest is None or not path.is_file():
        raise TenantError(
            f"There is no archive of {tenant.slug!r} at {path}: put the file back, or name it with --from."
        )
    found = archives.filter(sha256=dumps.sha256_of(path)).last()
    if found is None:
        raise TenantError(f"{path} is not the archive of {tenant.slug!r} that was verified: its SHA-256 differs.")
    return found, path


def write_verified(tenant: Tenant, config: dict[str, Any], server: str, folder: Path, kind: Kind) -> TenantArtifact:
    """Write a frozen database into a new file, load that into a scratch database on its server, and compare the two."""
    content = checksums(tenant.alias, config)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{tenant.slug}-{timezone.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    path = folder.resolve() / f"{name}{dumps.SUFFIX}"
    artifact = TenantArtifact.objects.create(
        tenant=tenant, kind=Kind.UNFINISHED, server=server, path=str(path), content=json.dumps(content)
    )
    dumps.dump(config, path)
    artifact.sha256 = dumps.sha256_of(path)
    scratch = claim_database(tenant, Kind.SCRATCH, server)
    dumps.load(path, scratch.connection_settings())
    refuse_difference(content, checksums(tenant.alias, scratch.connection_settings()), f"The archive {path}")
    discard(scratch)
    artifact.kind = kind
    artifact.save()
    return artifact


def _is_being_dropped(tenant: Tenant) -> bool:
    return TenantArtifact.objects.filter(tenant=tenant, kind=Kind.DROPPING).exists()
