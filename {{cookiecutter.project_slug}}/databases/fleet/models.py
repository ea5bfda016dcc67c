"""What the fleet has beside the tenants' own databases: archives, closed and unfinished databases, and ready ones."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Any

from django.db import models

from databases.fleet import ownership, replication, roles
from databases.fleet.states import has_database
from databases.migrating import one_line
from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.ddl import create_database, database_exists, drop_database
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

logger = logging.getLogger(__name__)


class TenantArtifact(models.Model):
    """A file or a database with a tenant's data.

    The row is written before the file or database is made. An unfinished one that has a row is therefore ours and may
    be dropped; nothing without a row is ever dropped.
    """

    class Kind(models.TextChoices):
        UNFINISHED = "unfinished", "a file that is being written"
        ARCHIVE = "archive", "a verified archive"
        SCRATCH = "scratch", "a scratch database to verify an archive in"
        TARGET = "target", "a database that is to become the tenant's"
        CLOSED = "closed", "a previous database, closed and kept,"

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="artifacts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    #: The server of the database, or of the database that was written to the file.
    server = models.CharField(max_length=50)
    database = models.CharField(max_length=63, blank=True)
    path = models.TextField(blank=True)
    #: Of the file, in hexadecimal digits.
    sha256 = models.CharField(max_length=64, blank=True)
    #: What is in the file, as JSON: see `contents`.
    content = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.tenant}: {self.path or f'{self.database} on {self.server}'}"

    def connection_settings(self) -> dict[str, Any]:
        """Return the settings of the database as the server's user. Raises like `maintenance_settings`."""
        return maintenance_settings(self.tenant, server=self.server, database=self.database)


Kind = TenantArtifact.Kind
UNFINISHED = (Kind.UNFINISHED, Kind.SCRATCH, Kind.TARGET)


class ReadyDatabase(models.Model):
    """A database without a tenant. It carries the uid, the roles and the password that its tenant will have."""

    uid = models.UUIDField(unique=True)
    server = models.CharField(max_length=50)
    database = models.CharField(max_length=63)
    user = models.CharField(max_length=63)
    password = models.TextField()
    #: The fingerprint of its migrations; empty until it is finished.
    migrations = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return f"{self.database} on {self.server}"

    def tenant(self, slug: str) -> Tenant:
        """Return the row that a tenant with this database has. It is not saved."""
        columns = ("uid", "server", "database", "user", "password")
        return Tenant(slug=slug, **{each: getattr(self, each) for each in columns})


def claim_database(tenant: Tenant, kind: Kind, server: str) -> TenantArtifact:
    """Make an empty database of the tenant's owner on a server, and return its artifact. Makes the roles, too."""
    name = f"{roles.owner_of(tenant)}_{secrets.token_hex(4)}"
    artifact = TenantArtifact(tenant=tenant, kind=kind, server=server, database=name)
    config = artifact.connection_settings()
    with server_cursor(tenant.alias, config) as cursor:
        # Not before: a server that is down would keep a row of nothing.
        artifact.save()
        roles.make_roles(tenant, cursor)
        create_database(config, roles.owner_of(tenant), ownership.TenantRoles.options)
        ownership.close_to_others(tenant, config["NAME"], cursor)
    return artifact


def refuse_lost(artifact: TenantArtifact) -> None:
    """Raise `TenantError` if another process has dropped an unfinished artifact: this one has lost its lock.

    Call it in the transaction that finishes the artifact.
    """
    if TenantArtifact.objects.select_for_update().filter(pk=artifact.pk).first() is None:
        raise TenantError(f"Another process has worked on {artifact.tenant.slug!r} in the meantime: run this again.")


def has_unfinished(tenant: Tenant) -> bool:
    """Return whether an interrupted run has left something unfinished of a tenant."""
    return tenant.artifacts.filter(kind__in=UNFINISHED).exists()


def discard_unfinished(tenant: Tenant) -> None:
    """Drop what an interrupted run has left unfinished of a tenant. The next call drops what this one cannot."""
    for artifact in tenant.artifacts.filter(kind__in=UNFINISHED):
        try:
            if artifact.kind == Kind.TARGET:
                _stop_replication(tenant, artifact)
            discard(artifact)
        except Exception as error:
            # Not raised: a tenant must not wait for a server that it does not use.
            again = "the next operation on the tenant tries to drop it again"
            logger.warning("%s is left, and %s: %s", artifact, again, one_line(error))


def _stop_replication(tenant: Tenant, target: TenantArtifact) -> None:
    try:
        replication.detach(tenant, target.connection_settings())
    finally:
        # Also if the new server is gone: the old one would keep its log for it until its disk is full.
        if has_database(tenant):
            replication.clean(tenant, maintenance_settings(tenant))


def discard(artifact: TenantArtifact) -> None:
    """Drop the file, or the database and roles that own no other one there, then delete the row.

    Raises `ValueError` for an archive, which may be all that is left of a tenant, and database errors.
    """
    if artifact.kind == Kind.ARCHIVE:
        raise ValueError(f"{artifact} is not deleted by commands: delete it manually, if nothing needs it.")
    if artifact.path:
        Path(artifact.path).unlink(missing_ok=True)
    else:
        config = artifact.connection_settings()
        if database_exists(config):
            drop_database(config)
        roles.drop(artifact.tenant, config)
    artifact.delete()
