"""What a tenant has besides its database: archives, and databases that an operation makes or leaves behind."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.db import models

from databases.tenants.managed.ddl import create_database, database_exists, drop_database
from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.registry import Tenant


class TenantArtifact(models.Model):
    """A file or a database with a tenant's data.

    The row is written before the file or database is made. An unfinished one that has a row is therefore ours and may
    be dropped; nothing without a row is ever dropped.
    """

    class Kind(models.TextChoices):
        UNFINISHED = "unfinished", "a file that is being written"
        ARCHIVE = "archive", "a verified archive"
        DROPPING = "dropping", "a verified archive whose database is being dropped"
        SCRATCH = "scratch", "a scratch database to verify an archive in"
        TARGET = "target", "a database that is to become the tenant's"
        OLD = "old", "the previous database, kept after a move,"
        OLD_ARCHIVE = "oldarchive", "a verified archive of the previous database"

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="artifacts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    #: The server of the database, or of the database that was written to the file.
    server = models.CharField(max_length=50)
    database = models.CharField(max_length=63, blank=True)
    path = models.TextField(blank=True)
    #: Of the file, in hexadecimal digits.
    sha256 = models.CharField(max_length=64, blank=True)
    #: Row counts and checksums of the tables in the file, as JSON: see `checksums`.
    content = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.tenant}: {self.path or f'{self.database} on {self.server}'}"

    def connection_settings(self) -> dict[str, Any]:
        """Return the settings of a maintenance connection to the database. Raises like `maintenance_settings`."""
        return maintenance_settings(self.tenant, server=self.server, database=self.database)


Kind = TenantArtifact.Kind


def claim_database(tenant: Tenant, kind: Kind, server: str) -> TenantArtifact:
    """Make an empty database under a name that neither the server nor the registry has, and return its artifact."""
    while True:
        name = f"{tenant.alias}_{secrets.token_hex(4)}"
        taken = TenantArtifact.objects.filter(database__iexact=name) or Tenant.objects.filter(database__iexact=name)
        artifact = TenantArtifact(tenant=tenant, kind=kind, server=server, database=name)
        config = artifact.connection_settings()
        if not taken and not database_exists(config):
            break
    artifact.save()
    create_database(config)
    return artifact


def discard(artifact: TenantArtifact) -> None:
    """Drop the database or file if it exists, then delete the row. An error while dropping keeps the row.

    Raises `ValueError` for an archive, which may be all that is left of a tenant.
    """
    if artifact.kind in (Kind.ARCHIVE, Kind.DROPPING, Kind.OLD_ARCHIVE):
        raise ValueError(f"{artifact} must be deleted manually.")
    if artifact.path:
        Path(artifact.path).unlink(missing_ok=True)
    else:
        config = artifact.connection_settings()
        if database_exists(config):
            drop_database(config)
    artifact.delete()


def discard_unfinished(tenant: Tenant) -> None:
    """Drop what an interrupted run has left unfinished of a tenant. Raises what dropping raises."""
    for artifact in tenant.artifacts.filter(kind__in=(Kind.UNFINISHED, Kind.SCRATCH, Kind.TARGET)):
        discard(artifact)
