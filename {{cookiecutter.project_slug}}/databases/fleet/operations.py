"""Steps that moves, archives and restores have in common."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import router, transaction

from databases.fleet import database_roles
from databases.fleet.checksums import Content, checksums, refuse_difference
from databases.fleet.freeze import thaw
from databases.fleet.models import discard_unfinished
from databases.tenants.credentials import passwords
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.registry import Tenant, find
from databases.tenants.states import ACTIONS
from databases.tenants.transitions import change, refuse

logger = logging.getLogger(__name__)


def refuse_unknown_server(server: str) -> None:
    """Raise `ValueError` for a server that is not in `TENANT_SERVERS`."""
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")


def begin(slug: str, action: str) -> Tenant:
    """Change a tenant's status for every process to see, and return the tenant's row. Raises like `change`.

    Raises `RuntimeError` inside a transaction: if that were rolled back, the registry would name a database that the
    operation has dropped.
    """
    with transaction.atomic(using=router.db_for_write(Tenant), durable=True):
        return change(slug, action)


def wait_for_caches() -> None:
    """Wait until no process uses a registry row that it cached before now."""
    # Longer than the cache: a process may have read the old row just before the change, and connect after that.
    time.sleep(settings.TENANT_CACHE_SECONDS * 1.5)


def complete(tenant: Tenant, config: dict[str, Any], content: Content) -> None:
    """Make a loaded database ready for the tenant: compare its content, and give it to the tenant's user."""
    refuse_difference(content, checksums(tenant.alias, config), f"The database {config['NAME']}")
    if tenant.user:
        database_roles.install(tenant, config, tenant.user, passwords.reveal(tenant.password))


def undo(tenant: Tenant, frozen: dict[str, Any] | None, *actions: str) -> None:
    """Thaw a tenant's database, change the status back, and drop what is unfinished.

    Arguments: the tenant, the settings of its database if that may be frozen, and actions on the status. Raises what
    `thaw` and `change` raise. An error while dropping is only logged: the next run tries again.
    """
    if frozen:
        # First: nothing would thaw the database of a tenant that is active again.
        thaw(tenant.alias, frozen)
    for action in actions:
        change(tenant.slug, action)
    try:
        discard_unfinished(tenant)
    except Exception:
        logger.exception(
            "Unfinished artifacts of the tenant %s could not be dropped: the next run tries again", tenant.slug
        )


@contextmanager
def undone_after_error(tenant: Tenant, frozen: dict[str, Any] | None, *actions: str) -> Iterator[None]:
    """Call `undo` if the block raises an error while the tenant's status is still the same."""
    try:
        yield
    except BaseException:
        try:
            if find(tenant.slug).status == tenant.status:
                undo(tenant, frozen, *actions)
        except Exception:
            # Not raised: the error of the block says what went wrong first.
            logger.exception("The tenant %s is still %s: %s", tenant.slug, tenant.status, tenant.state.way_out)
        raise


def cancel(slug: str, action: str) -> Tenant:
    """Cancel an interrupted operation by this action, and return the tenant's row. Raises like `undo`."""
    with tenant_lock(find(slug)):
        tenant = find(slug)
        if tenant.status not in ACTIONS[action][0]:
            refuse(tenant, action)
        undo(tenant, maintenance_settings(tenant), action)
        return find(slug)
