"""Gives tenants new passwords on their servers. No request is refused meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack

from databases.fleet import roles
from databases.fleet.closing import wait_for_caches
from databases.secret import Secret
from databases.tenants.commands import for_each
from databases.tenants.credentials import passwords
from databases.tenants.credentials.store import refuse_unsettled, replace
from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.registry import Tenant, find
from databases.tenants.states import TenantError

#: How many tenants are rotated before one wait. The lock of each takes a connection to the registry.
TOGETHER = 20


def rotate(slug: str) -> Tenant:
    """Give a tenant's unused user a new password, switch the tenant to that user, and return the tenant's row.

    The previous user stays valid until `retire`, because other processes learn of the change later. May be repeated
    after any interruption. Raises `LookupError` where there is no key to encrypt with, `TenantError` where another
    process holds the tenant's lock, and Django's database errors.
    """
    with tenant_lock(find(slug)):
        return _rotate(slug)


def retire(slug: str) -> None:
    """Disable the login of the tenant's previous user. Call it once no process uses that user any more."""
    with tenant_lock(find(slug)):
        _retire(slug)


def rotate_all(slugs: list[str], report: Callable[[str], object]) -> list[str]:
    """Rotate the credentials of tenants, wait until all processes use them, and retire the previous users.

    Arguments: the slugs, and a function that takes a line of text: it gets one per tenant, in this order. Returns the
    slugs of the tenants for which it failed.
    """
    tenants = [find(slug) for slug in slugs]
    parts = [tenants[start : start + TOGETHER] for start in range(0, len(tenants), TOGETHER)]
    return [slug for part in parts for slug in _rotate_some(part, report)]


def _rotate_some(tenants: list[Tenant], report: Callable[[str], object]) -> list[str]:
    errors: dict[str, Exception] = {}

    def end(tenant: Tenant) -> None:
        if tenant.slug in errors:
            raise errors[tenant.slug]
        try:
            _retire(tenant.slug)
        except Exception as error:
            name = roles.next_user(find(tenant.slug))
            raise TenantError(f"{name!r}, its previous user, can still log in: run this again. {error}") from error

    with ExitStack() as locks:
        for tenant in tenants:
            try:
                # Held until the end: another rotation would disable a user that processes still know.
                locks.enter_context(tenant_lock(tenant))
                _rotate(tenant.slug)
            except Exception as error:
                errors[tenant.slug] = error
        if len(errors) < len(tenants):
            wait_for_caches()
        return for_each(tenants, end, report)


def _rotate(slug: str) -> Tenant:
    tenant = find(slug)
    refuse_unsettled(tenant)
    roles.refuse_missing(tenant)
    user, password = roles.next_user(tenant), Secret(secrets.token_urlsafe(32))
    kept = passwords.encrypt(password)
    with server_cursor(tenant.alias, maintenance_settings(tenant)) as cursor:
        roles.let_in(cursor, user, password)
    replace(tenant, user, kept)
    return find(slug)


def _retire(slug: str) -> None:
    tenant = find(slug)
    refuse_unsettled(tenant)
    with server_cursor(tenant.alias, maintenance_settings(tenant)) as cursor:
        roles.shut_out(cursor, roles.next_user(tenant))
