"""Tenants from one server to another: copied, compared, switched. The old database stays until it is told to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import router, transaction

from . import dumps, server_users
from .alone import alone_with
from .archive import complete, thaw_or_tell, write_verified
from .copies import TenantCopy, claim_database, discard, discard_half_made, try_to_discard_half_made
from .engines import database_exists
from .fingerprints import fingerprint
from .freeze import frozen, reopen, shut, thaw
from .registry import Tenant, find
from .states import Status, change
from .upkeep import settings_of, wait_until_all_know

Kind = TenantCopy.Kind


def move(slug: str, server: str, *, patience: float = 10) -> Tenant:
    """Copy a tenant's database to another server, compare the two, and switch. Returns the tenant's row.

    While it lasts the tenant is read and not written; everybody else is served as ever. The old database is kept, and
    nobody writes to it. Arguments: the slug, the server's name, and for how many seconds open transactions may go on.
    May be repeated after any interruption. After an error the tenant is where it was. Raises `ValueError` for a server
    that cannot be, `TenantError`, `LookupError`, and Django's database errors.
    """
    with alone_with(find(slug)):
        tenant = find(slug)
        dumps.refuse_server(server, dumps.vendor_of(settings_of(tenant)))
        if tenant.server == server:
            if tenant.status != Status.ACTIVE or not _old(tenant):
                raise ValueError(f"The tenant {slug!r} is on {server!r} already.")
        else:
            tenant = change(slug, "move")
            try:
                _copy_and_switch(tenant, server, patience)
            except BaseException:
                # After the switch there is nothing to undo.
                if find(slug).status == Status.MOVING:
                    try_to_discard_half_made(tenant)
                    if thaw_or_tell(tenant, settings_of(tenant)):
                        change(slug, "end the move of")
                raise
        for copy in _old(tenant):
            # An earlier run may have been ended just before.
            shut(tenant.alias, _place(copy))
            if copy.server != find(slug).server:
                server_users.shut_out(tenant, _place(copy))
        return find(slug)


def cancel(slug: str) -> Tenant:
    """Give up an interrupted move: the tenant goes on where it was. Returns its row. Raises `TenantError`."""
    with alone_with(find(slug)):
        tenant = find(slug)
        if tenant.status == Status.MOVING:
            thaw(tenant.alias, settings_of(tenant))
        tenant = change(slug, "end the move of")
        try_to_discard_half_made(tenant)
        return tenant


def drop_old(slug: str, folder: Path, *, patience: float = 10) -> list[TenantCopy]:
    """Archive the databases that a tenant has moved away from, and drop them. Returns the notes of the archives.

    Arguments: the slug, the folder for the files, and seconds as for `move`. Raises like `archive.archive`.
    """
    made = []
    with alone_with(find(slug)):
        tenant = find(slug)
        discard_half_made(tenant)
        for copy in _old(tenant):
            config = _place(copy)
            if database_exists(config):
                made.append(_archive_old(copy, config, folder, patience))
            discard(copy)
            if copy.server != tenant.server and not _old(tenant).filter(server=copy.server):
                server_users.drop(tenant, config)
    return made


def _copy_and_switch(tenant: Tenant, server: str, patience: float) -> None:
    discard_half_made(tenant)
    source = settings_of(tenant)
    # Processes that know of the move open sessions that only read, and close those that write.
    wait_until_all_know()
    with frozen(tenant.alias, source, patience):
        target = claim_database(tenant, Kind.TARGET, server)
        config = settings_of(tenant, server=server, database=target.database)
        dumps.copy(source, config)
        complete(tenant, config, fingerprint(tenant.alias, source))
        _switch(tenant, target)
        wait_until_all_know()


def _switch(tenant: Tenant, target: TenantCopy) -> None:
    """Make the copy the tenant's database and the tenant's database a copy, in one transaction."""
    server, database = target.server, target.database
    with transaction.atomic(using=router.db_for_write(Tenant)):
        target.kind, target.server, target.database = Kind.OLD, tenant.server, tenant.database
        target.save()
        change(tenant.slug, "end the move of", server=server, database=database)


def _archive_old(copy: TenantCopy, config: dict[str, Any], folder: Path, patience: float) -> TenantCopy:
    tenant = copy.tenant
    reopen(tenant.alias, config)
    try:
        with frozen(tenant.alias, config, patience):
            return write_verified(tenant, config, copy.server, folder, Kind.OLD_ARCHIVE)
    except BaseException:
        try_to_discard_half_made(tenant)
        raise
    finally:
        shut(tenant.alias, config)


def _old(tenant: Tenant) -> Any:
    return TenantCopy.objects.filter(tenant=tenant, kind=Kind.OLD).select_related("tenant")


def _place(copy: TenantCopy) -> dict[str, Any]:
    return settings_of(copy.tenant, server=copy.server, database=copy.database)
