"""Tenants into files and back. The database is closed and kept until `purge_archived_tenants`."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from databases.fleet import dumps
from databases.fleet.closing import close, open_again, own_settings, seal
from databases.fleet.contents import contents, refuse_difference
from databases.fleet.models import Kind, TenantArtifact, claim_database, discard, discard_unfinished, refuse_lost
from databases.fleet.operations import operation, refuse_unknown_server
from databases.fleet.states import FleetStatus
from databases.secret import Secret
from databases.tenants.maintenance import maintenance_settings
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.registry import Tenant, find
from databases.tenants.states import TenantError
from databases.tenants.transitions import change


def archive(slug: str, folder: Path, *, timeout: float = 10) -> TenantArtifact:
    """Write a tenant's database into a new file, verify the file in a scratch database, and close the database.

    Arguments: the slug, the folder for the file, and the seconds that open transactions are given to end. Returns the
    archive. May be repeated after any interruption; after an error the tenant is as it was. Raises `TenantError`,
    `LookupError`, `OSError` and Django's database errors.
    """
    with operation(slug, "archive") as tenant:
        password = new_password()
        source = close(tenant, password, timeout)
        artifact = _write(tenant, source, folder)
        _verify(artifact, password)
        seal(tenant, maintenance_settings(tenant))
        with transaction.atomic(using=router.db_for_write(Tenant)):
            refuse_lost(artifact)
            artifact.kind = Kind.ARCHIVE
            artifact.save()
            keep_closed(tenant)
            change(slug, "finish archiving")
        return artifact


def restore(slug: str, file: Path | None = None, server: str = "") -> Tenant:
    """Restore a tenant from its archive into a new database, and open its pages. Returns its row.

    Arguments: the slug, the archive's file if it was moved, and the server if another than before. May be repeated
    after any interruption; after an error the tenant is archived as before. Raises like `archive`.
    """
    with operation(slug, "restore") as tenant:
        # Inside: a tenant that an interrupted run has left without its file is archived again.
        kept, path = archive_of(tenant, file)
        server = server or kept.server
        refuse_unknown_server(server)
        target = claim_database(tenant, Kind.TARGET, server)
        _load(kept, path, target, new_password())
        open_again(tenant, target.connection_settings())
        with transaction.atomic(using=router.db_for_write(Tenant)):
            refuse_lost(target)
            change(slug, "finish restoring", server=server, database=target.database)
            target.delete()
    return find(slug)


def verify(slug: str, file: Path | None = None) -> TenantArtifact:
    """Restore a tenant's archive into a scratch database, compare, and drop that. Returns the archive.

    Raises `TenantError` if the archive does not hold what it held, and like `archive`.
    """
    with tenant_lock(find(slug)):
        tenant = find(slug)
        kept, path = archive_of(tenant, file)
        try:
            _verify(kept, new_password(), path)
        finally:
            discard_unfinished(tenant)
    return kept


def verify_one() -> TenantArtifact:
    """Verify one archive of all, chosen at random. Raises like `verify`, and `TenantError` if there is none."""
    slugs = list(Tenant.objects.filter(status=FleetStatus.ARCHIVED).values_list("slug", flat=True))
    if not slugs:
        raise TenantError("There is no archived tenant whose archive could be verified: `archive_tenant` makes one.")
    return verify(secrets.choice(slugs))


def archive_of(tenant: Tenant, file: Path | None = None) -> tuple[TenantArtifact, Path]:
    """Return a tenant's newest archive, or the one in a file, and its file.

    Raises `TenantError` if there is no archive, or if the file has changed since it was verified, and `OSError`.
    """
    archives = TenantArtifact.objects.filter(tenant=tenant, kind=Kind.ARCHIVE)
    newest = archives.last()
    path = file or Path(newest.path if newest else "")
    if newest is None or not path.is_file():
        raise TenantError(
            f"There is no archive of {tenant.slug!r} at {path}: put the file back, or name where it is (--from)."
        )
    found = archives.filter(sha256=dumps.sha256_of(path)).last()
    if found is None:
        raise TenantError(
            f"{path} is not the archive of {tenant.slug!r} that was verified: its SHA-256 differs. Put a good copy in "
            "its place, or name where one is (--from)."
        )
    return found, path


def new_password() -> Secret:
    """Return a password for the user by which an operation gets into databases."""
    return Secret(secrets.token_urlsafe(32))


def keep_closed(tenant: Tenant) -> None:
    """Note the tenant's present database as one that is kept closed."""
    TenantArtifact.objects.create(tenant=tenant, kind=Kind.CLOSED, server=tenant.server, database=tenant.database)


def _write(tenant: Tenant, source: dict[str, Any], folder: Path) -> TenantArtifact:
    content = contents(tenant.alias, source)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{tenant.slug}-{timezone.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    path = folder.resolve() / f"{name}{dumps.SUFFIX}"
    artifact = TenantArtifact.objects.create(
        tenant=tenant, kind=Kind.UNFINISHED, server=tenant.server, path=str(path), content=json.dumps(content)
    )
    dumps.dump(source, path)
    artifact.sha256 = dumps.sha256_of(path)
    return artifact


def _verify(artifact: TenantArtifact, password: Secret, path: Path | None = None) -> None:
    scratch = claim_database(artifact.tenant, Kind.SCRATCH, artifact.server)
    _load(artifact, path or Path(artifact.path), scratch, password)
    discard(scratch)


def _load(artifact: TenantArtifact, path: Path, into: TenantArtifact, password: Secret) -> None:
    """Load an archive into a database, as the tenant's own user: its code runs there. Raises `DifferenceError`."""
    config = own_settings(into.tenant, into.connection_settings(), password)
    dumps.load(path, config)
    refuse_difference(json.loads(artifact.content), contents(into.tenant.alias, config), f"The archive {path}")
