"""Tenants into files and back. A database is dropped only after its archive was tried and found to hold the same."""

from __future__ import annotations

import json
import logging
import secrets
from pathlib import Path
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from . import dumps, passwords, server_users
from .alone import alone_with
from .copies import TenantCopy, claim_database, discard, discard_half_made, try_to_discard_half_made
from .engines import database_exists, drop_database
from .fingerprints import fingerprint, refuse_difference
from .freeze import frozen, reopen, shut, thaw
from .registry import Tenant, find
from .states import Status, TenantError, change
from .upkeep import settings_of, wait_until_all_know

logger = logging.getLogger(__name__)

Kind = TenantCopy.Kind


def archive(slug: str, folder: Path, *, patience: float = 10) -> TenantCopy:
    """Write a tenant's database into a file, try the file in a scratch database, and only then drop the database.

    Arguments: the slug, the folder for the file, and for how many seconds open transactions may go on. Returns the
    note of the archive: path, SHA-256 and content. May be repeated after any interruption. After an error the tenant is
    as it was. Raises `TenantError`, `LookupError`, `OSError` and Django's database errors.
    """
    with alone_with(find(slug)):
        before = find(slug).status
        tenant = change(slug, "archive")
        config = settings_of(tenant)
        if _is_being_dropped(tenant):
            # An earlier run was ended. Whatever is there now, the archive holds what was.
            copy, _ = archive_of(tenant)
        else:
            try:
                copy = _write(tenant, config, folder, patience)
            except BaseException:
                _give_up(tenant, config, before)
                raise
            # From here on there is no way back; the next run carries on.
            copy.kind = Kind.DROPPING
            copy.save()
        if database_exists(config):
            shut(tenant.alias, config)
            drop_database(config)
        _drop_users(tenant, tenant.server)
        with transaction.atomic(using=router.db_for_write(Tenant)):
            copy.kind = Kind.ARCHIVE
            copy.save()
            change(slug, "end the archiving of")
        return copy


def cancel(slug: str) -> Tenant:
    """Give up an interrupted archiving: the tenant is suspended then. Raises `TenantError` and `LookupError`."""
    with alone_with(find(slug)):
        tenant = find(slug)
        if _is_being_dropped(tenant):
            raise TenantError(f"The database of {slug!r} is in its archive already: run `archive_tenant` again.")
        tenant = change(slug, "give up archiving")
        thaw(tenant.alias, settings_of(tenant))
        discard_half_made(tenant)
        return tenant


def restore(slug: str, file: Path | None = None, server: str = "") -> Tenant:
    """Bring a tenant back from its archive into a new database, and open its pages. Returns its row.

    Arguments: the slug, where the archive's file is now if it was moved, and the server, if another than before. May be
    repeated after any interruption. After an error the tenant is archived as before. Raises like `archive`.
    """
    with alone_with(find(slug)):
        kept, path = archive_of(find(slug), file)
        tenant = change(slug, "restore")
        server = server or kept.server
        try:
            dumps.refuse_server(server, dumps.VENDORS[Path(kept.path).suffix])
            discard_half_made(tenant)
            target = claim_database(tenant, Kind.TARGET, server)
            config = settings_of(tenant, server=server, database=target.database)
            dumps.load(path, config)
            complete(tenant, config, json.loads(kept.content))
            with transaction.atomic(using=router.db_for_write(Tenant)):
                change(slug, "end the restoring of", server=server, database=target.database)
                target.delete()
        except BaseException:
            try_to_discard_half_made(tenant)
            change(slug, "give up restoring")
            raise
        return find(slug)


def archive_of(tenant: Tenant, file: Path | None = None) -> tuple[TenantCopy, Path]:
    """Return the note of a tenant's archive, the newest if no file is named, and its file.

    Those of databases that it has moved away from are older than what it holds: they must be named.
    Raises `TenantError` where there is none, or where the file is not the one that was verified, and `OSError`.
    """
    kinds = [Kind.ARCHIVE, Kind.DROPPING] + ([Kind.OLD_ARCHIVE] if file else [])
    notes = TenantCopy.objects.filter(tenant=tenant, kind__in=kinds)
    newest = notes.last()
    path = file or Path(newest.path if newest else "")
    if newest is None or not path.is_file():
        raise TenantError(f"There is no archive of {tenant.slug!r} at {path}: name its file with --from.")
    found = notes.filter(sha256=dumps.sha256_of(path)).last()
    if found is None:
        raise TenantError(f"{path} is not an archive of {tenant.slug!r} as it was verified: its SHA-256 is another.")
    return found, path


def write_verified(tenant: Tenant, config: dict[str, Any], server: str, folder: Path, kind: Kind) -> TenantCopy:
    """Write a frozen database into a new file, try it in a scratch database on the same server, and note its kind."""
    content = fingerprint(tenant.alias, config)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{tenant.slug}-{timezone.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    path = folder.resolve() / f"{name}{dumps.SUFFIXES[dumps.vendor_of(config)]}"
    copy = TenantCopy.objects.create(
        tenant=tenant, kind=Kind.UNFINISHED, server=server, path=str(path), content=json.dumps(content)
    )
    dumps.dump(config, path)
    copy.sha256 = dumps.sha256_of(path)
    scratch = claim_database(tenant, Kind.SCRATCH, server)
    place = settings_of(tenant, server=server, database=scratch.database)
    dumps.load(path, place)
    refuse_difference(content, fingerprint(tenant.alias, place), f"The archive {path}")
    discard(scratch)
    copy.kind = kind
    copy.save()
    return copy


def complete(tenant: Tenant, config: dict[str, Any], content: dict[str, str]) -> None:
    """Make a copied database fit to be the tenant's: what it holds is compared, and its user let in."""
    thaw(tenant.alias, config)
    refuse_difference(content, fingerprint(tenant.alias, config), f"The database {config['NAME']}")
    if tenant.user in server_users.names_of(tenant):
        server_users.install(tenant, config, tenant.user, passwords.reveal(tenant.password))


def thaw_or_tell(tenant: Tenant, config: dict[str, Any]) -> bool:
    """Thaw a tenant's database after an error, which is the one to raise; return whether that went well."""
    try:
        thaw(tenant.alias, config)
    except Exception:
        logger.exception("The database of %s stays frozen: run the command again, or with --cancel", tenant.slug)
        return False
    return True


def _give_up(tenant: Tenant, config: dict[str, Any], before: str) -> None:
    try_to_discard_half_made(tenant)
    if thaw_or_tell(tenant, config):
        change(tenant.slug, "give up archiving")
        if before == Status.ACTIVE:
            change(tenant.slug, "resume")


def _write(tenant: Tenant, config: dict[str, Any], folder: Path, patience: float) -> TenantCopy:
    """Return the note of an archive that holds what the database holds: an earlier run may have made it already."""
    discard_half_made(tenant)
    reopen(tenant.alias, config)
    wait_until_all_know()
    with frozen(tenant.alias, config, patience):
        newest = TenantCopy.objects.filter(tenant=tenant, kind=Kind.ARCHIVE).last()
        if newest and newest.server == tenant.server and _holds(newest, folder, fingerprint(tenant.alias, config)):
            return newest
        return write_verified(tenant, config, tenant.server, folder, Kind.ARCHIVE)


def _holds(copy: TenantCopy, folder: Path, content: dict[str, str]) -> bool:
    """Return whether an archive lies in this folder, is as it was verified, and holds this."""
    path = Path(copy.path)
    is_here = path.parent == folder.resolve() and path.is_file()
    return is_here and json.loads(copy.content) == content and dumps.sha256_of(path) == copy.sha256


def _is_being_dropped(tenant: Tenant) -> bool:
    return TenantCopy.objects.filter(tenant=tenant, kind=Kind.DROPPING).exists()


def _drop_users(tenant: Tenant, server: str) -> None:
    """Drop the tenant's users on a server, unless a database there is still theirs."""
    if not TenantCopy.objects.filter(tenant=tenant, server=server, kind=Kind.OLD).exists():
        server_users.drop(tenant, settings_of(tenant, server=server))
