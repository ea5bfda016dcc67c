"""What tenants have besides their database: archives, and databases that upkeep is about to make or has left behind.

A row is written before the thing it names is made. So whoever finds a half-made database or file knows whether it is
ours, and may drop it; and nothing that has no row is ever dropped.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from django.db import models

from .engines import create_database, database_exists, drop_database
from .registry import Tenant
from .upkeep import settings_of

logger = logging.getLogger(__name__)


class TenantCopy(models.Model):
    """A file or a database that holds, held or is to hold what is in a tenant's database."""

    class Kind(models.TextChoices):
        NEW = "new", "a database that is being made for the tenant"
        UNFINISHED = "unfinished", "a file that is being written"
        ARCHIVE = "archive", "a verified archive"
        DROPPING = "dropping", "a verified archive whose database is being dropped"
        SCRATCH = "scratch", "a database to try an archive in"
        TARGET = "target", "a database that is to become the tenant's"
        OLD = "old", "the database that the tenant had before it moved"
        OLD_ARCHIVE = "oldarchive", "a verified archive of such a database"

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="copies")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    #: Where the database is, or where the one in the file was.
    server = models.CharField(max_length=50)
    database = models.CharField(max_length=63, blank=True)
    path = models.TextField(blank=True)
    #: Of the file, in hexadecimal digits.
    sha256 = models.CharField(max_length=64, blank=True)
    #: Row counts and checksums of the tables in the file, as JSON: see `fingerprints`.
    content = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.tenant}: {self.path or f'{self.database} on {self.server}'}"


def claim_database(tenant: Tenant, kind: TenantCopy.Kind, server: str) -> TenantCopy:
    """Choose a name that neither the server nor the registry has, note it, make the database, and return the note."""
    while True:
        name = f"{tenant.alias}_{secrets.token_hex(4)}"
        taken = TenantCopy.objects.filter(database__iexact=name) or Tenant.objects.filter(database__iexact=name)
        config = settings_of(tenant, server=server, database=name)
        if not taken and not database_exists(config):
            break
    copy = TenantCopy.objects.create(tenant=tenant, kind=kind, server=server, database=name)
    create_database(config)
    return copy


def discard(copy: TenantCopy) -> None:
    """Drop what a note names, where it is there, and then the note. Raises what dropping raises, and keeps the note.

    Raises `ValueError` for an archive: the last thing that there may be of a tenant is not for programs to drop.
    """
    if copy.kind in (TenantCopy.Kind.ARCHIVE, TenantCopy.Kind.DROPPING, TenantCopy.Kind.OLD_ARCHIVE):
        raise ValueError(f"{copy} is not dropped by anything but a person.")
    if copy.path:
        Path(copy.path).unlink(missing_ok=True)
    else:
        config = settings_of(copy.tenant, server=copy.server, database=copy.database)
        if database_exists(config):
            drop_database(config)
    copy.delete()


def discard_half_made(tenant: Tenant) -> None:
    """Drop what an earlier run, which was ended, has left half-made of this tenant."""
    half_made = (TenantCopy.Kind.UNFINISHED, TenantCopy.Kind.SCRATCH, TenantCopy.Kind.TARGET)
    for copy in TenantCopy.objects.filter(tenant=tenant, kind__in=half_made):
        discard(copy)


def try_to_discard_half_made(tenant: Tenant) -> None:
    """The same after an error, which is the one to tell: what cannot be dropped now is dropped by the next run."""
    try:
        discard_half_made(tenant)
    except Exception:
        logger.exception("Something half-made of the tenant %s is left; the next run drops it", tenant.slug)
