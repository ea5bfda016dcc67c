"""What moves, archives and restores have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from databases.fleet import roles
from databases.fleet.closing import open_again
from databases.fleet.models import discard_unfinished, has_unfinished
from databases.fleet.states import FleetStatus, has_database
from databases.migrating import one_line
from databases.tenants.credentials import passwords
from databases.tenants.lifecycle import refuse_transaction
from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.registry import Tenant, find
from databases.tenants.states import ACTIONS, Status
from databases.tenants.transitions import change, refuse

logger = logging.getLogger(__name__)

#: By status, the action that undoes the operation.
CANCEL = {
    FleetStatus.MOVING: "finish moving",
    FleetStatus.ARCHIVING: "cancel archiving",
    FleetStatus.RESTORING: "cancel restoring",
}


@contextmanager
def operation(slug: str, action: str) -> Iterator[Tenant]:
    """Within the block, this process alone works on a tenant, whose status the action has changed for all to see.

    After an error the tenant is as it was. Raises `TenantError` inside a transaction, for a tenant without a user of
    its own and where another process works on it; `StateError`; and `UnknownTenantError`.
    """
    refuse_transaction()
    with tenant_lock(find(slug)):
        before = find(slug)
        refuse_unusable(before)
        with begun(before, action) as tenant:
            discard_unfinished(tenant)
            yield tenant


@contextmanager
def begun(before: Tenant, action: str) -> Iterator[Tenant]:
    """Within the block, a tenant whose lock this process has is in the status of an operation. As in `operation`."""
    slug = before.slug
    tenant = change(slug, action)
    try:
        yield tenant
    except BaseException:
        try:
            if find(slug).status == tenant.status:
                undo(tenant)
                if before.status == Status.ACTIVE:
                    change(slug, "resume")
        except Exception as error:
            # Not raised: the error of the block says what went wrong first.
            way_out = tenant.state.way_out
            logger.error("The tenant %s is still %s, because of %s: %s", slug, tenant.status, one_line(error), way_out)
        raise


def refuse_unusable(tenant: Tenant) -> None:
    """Raise an error before anything is changed, if its undoing would fail: without the password or the server.

    Raises `TenantError` for a tenant without a user of its own, `LookupError` and Django's database errors.
    """
    roles.refuse_missing(tenant)
    passwords.reveal(tenant.password)
    if has_database(tenant):
        with server_cursor(tenant.alias, maintenance_settings(tenant)):
            pass


def cancel(slug: str, status: str) -> Tenant:
    """Cancel an interrupted operation, and return the tenant's row. Raises `TenantError` and database errors.

    Arguments: the slug, and the status that the tenant must have.
    """
    refuse_transaction()
    with tenant_lock(find(slug)):
        tenant = find(slug)
        if tenant.status == status:
            undo(tenant)
        elif tenant.status == ACTIONS[CANCEL[FleetStatus(status)]][1] and has_unfinished(tenant):
            # A run that was interrupted just before its end, or while it was served: `move_tenant --online`.
            discard_unfinished(tenant)
        else:
            refuse(tenant, f"cancel the {status} of")
        return find(slug)


def refuse_unknown_server(server: str) -> None:
    """Raise `ValueError` for a server that is not in `TENANT_SERVERS`."""
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")


def undo(tenant: Tenant) -> None:
    """Open the database of a tenant again, change the status back, and drop what is unfinished."""
    if has_database(tenant):
        # First: the user of a tenant that is active again could not log in.
        open_again(tenant, maintenance_settings(tenant))
    change(tenant.slug, CANCEL[FleetStatus(tenant.status)])
    discard_unfinished(tenant)
