"""Gives tenants users and new passwords on their servers. No request is refused meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from databases.fleet import database_roles
from databases.fleet.operations import wait_for_caches
from databases.secret import Secret
from databases.tenants.credentials import passwords
from databases.tenants.credentials.store import refuse_unsettled, replace
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.registry import Tenant, find
from databases.tenants.selection import for_each
from databases.tenants.states import TenantError


def rotate(slug: str) -> Tenant:
    """Give a tenant's unused user a new password, switch the tenant to that user, and return the tenant's row.

    The previous user stays valid until `retire`, because other processes learn of the change later. May be repeated
    after any interruption. Raises `LookupError` where there is no key to encrypt with, `TenantError` where another
    process holds the tenant's lock, and Django's database errors.
    """
    with tenant_lock(find(slug)):
        tenant = find(slug)
        refuse_unsettled(tenant)
        user, password = database_roles.next_user(tenant), Secret(secrets.token_urlsafe(32))
        kept = passwords.encrypt(password)
        database_roles.install(tenant, maintenance_settings(tenant), user, password)
        replace(tenant, user, kept)
    return find(slug)


def retire(slug: str) -> None:
    """Disable the login of the tenant's previous user. Call it once no process uses that user any more."""
    with tenant_lock(find(slug)):
        tenant = find(slug)
        database_roles.retire(tenant, maintenance_settings(tenant), database_roles.next_user(tenant))


def rotate_all(slugs: list[str], report: Callable[[str], object]) -> list[str]:
    """Rotate the credentials of tenants, wait once until all processes use them, and retire the previous users.

    Arguments: the slugs, and a function that takes a line of text: it gets one per tenant, in this order. Returns the
    slugs of the tenants for which it failed.
    """
    tenants = [find(slug) for slug in slugs]
    errors: dict[str, Exception] = {}

    def end(tenant: Tenant) -> None:
        if tenant.slug in errors:
            raise errors[tenant.slug]
        try:
            retire(tenant.slug)
        except Exception as error:
            name = database_roles.next_user(find(tenant.slug))
            raise TenantError(f"{name!r}, its previous user, can still log in: run this again. {error}") from error

    for tenant in tenants:
        try:
            rotate(tenant.slug)
        except Exception as error:
            errors[tenant.slug] = error
    if len(errors) < len(tenants):
        wait_for_caches()
    return for_each(tenants, end, report)
