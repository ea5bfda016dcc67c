"""Stores credentials after the server has accepted them, so that no process reads credentials that do not work."""

from __future__ import annotations

from typing import Any

from databases.tenants.credentials import passwords
from databases.tenants.maintenance import deadline, maintenance_connection
from databases.tenants.registry import Tenant
from databases.tenants.registry_cache import cache
from databases.tenants.states import Status
from databases.tenants.transitions import refuse

#: Statuses of tenants whose database exists, and is not about to move.
SETTLED = (Status.ACTIVE, Status.SUSPENDED)


def replace(tenant: Tenant, user: str, kept: str) -> None:
    """Connect with a user and password, and store them if the server accepts them.

    Arguments: the tenant, the user, and the password as text of the registry (see `passwords`). Raises `StateError`,
    `LookupError`, `ValueError` if the row was changed meanwhile, and Django's database errors for a refused connection.
    """
    refuse_unsettled(tenant)
    before = tenant.user, tenant.password
    tenant.user, tenant.password = user, kept
    config: dict[str, Any] = tenant.connection_settings()
    with maintenance_connection(tenant.alias, config) as connection, deadline(connection, "answer"):
        connection.ensure_connection()
    row = Tenant.objects.filter(pk=tenant.pk, user=before[0], password=before[1], status__in=SETTLED)
    if not row.update(user=user, password=kept):
        raise ValueError(f"The tenant {tenant.slug!r} was changed by another process in the meantime: run this again.")
    cache.forget(tenant.slug)


def renew_keys(tenant: Tenant) -> None:
    """Encrypt a tenant's stored password with the first of `TENANT_PASSWORD_KEYS`. Raises `LookupError`."""
    if tenant.password:
        # The old text is compared, so that a password that was changed meanwhile is not overwritten.
        Tenant.objects.filter(pk=tenant.pk, password=tenant.password).update(password=passwords.renew(tenant.password))


def refuse_unsettled(tenant: Tenant) -> None:
    """Raise `StateError` if the tenant's database does not exist, or is about to move."""
    if tenant.status not in SETTLED:
        refuse(tenant, "change the credentials of")
