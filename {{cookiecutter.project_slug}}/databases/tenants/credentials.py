"""Users and passwords of tenants' own: changed, stored, and encrypted anew. Nobody is refused in between."""

from __future__ import annotations

import re
# % if cookiecutter.__managed_tenants
import secrets
# % endif
from collections.abc import Callable
from typing import Any

# % if cookiecutter.__managed_tenants
from . import lookup, passwords, server_users
from .alone import alone_with
from .fleet import for_each
from .registry import Tenant, find
from .states import Status, TenantError, refuse
from .upkeep import connected, settings_of, wait_until_all_know
# % else
from . import lookup, passwords
from .registry import Tenant, find
from .states import Status, refuse
from .upkeep import connected
# % endif

#: Statuses of tenants whose database is there and stays where it is.
SETTLED = (Status.ACTIVE, Status.SUSPENDED)


def store(slug: str, user: str, password: str = "", *, variable: str = "") -> Tenant:
    """Store the user and password that the owner of a tenant's database gave, and return the tenant's row.

    Arguments: the slug, the user, and either the password, which is stored encrypted, or the name of the environment
    variable that every process finds it in. Raises `ValueError` for what cannot be a user or a variable, `LookupError`
    where a key or the variable is missing, `StateError`, and Django's database errors where the server refuses them.
    """
    if not re.fullmatch(r"[^\0\n]{1,63}", user):
        raise ValueError(f"{user!r} cannot be a user here: use at most 63 characters of one line.")
    if variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(f"{variable!r} cannot be the name of an environment variable.")
    tenant = find(slug)
    _replace(tenant, user, f"{passwords.NAMED}{variable}" if variable else passwords.encrypt(password))
    return find(slug)


def renew_keys(tenant: Tenant) -> None:
    """Encrypt a tenant's stored password with the newest of `TENANT_PASSWORD_KEYS`. Raises `LookupError`."""
    if tenant.password:
        # Compared, so that a password that was changed in the meantime is not put back.
        Tenant.objects.filter(pk=tenant.pk, password=tenant.password).update(password=passwords.renew(tenant.password))


def _replace(tenant: Tenant, user: str, kept: str) -> None:
    """Try a user and password, and store them if the server lets them in."""
    if tenant.status not in SETTLED:
        refuse(tenant, "change the credentials of")
    before = tenant.user, tenant.password
    tenant.user, tenant.password = user, kept
    config: dict[str, Any] = tenant.connection_settings()
    with connected(tenant.alias, config) as connection:
        connection.ensure_connection()
    row = Tenant.objects.filter(pk=tenant.pk, user=before[0], password=before[1], status__in=SETTLED)
    if not row.update(user=user, password=kept):
        raise ValueError(f"The tenant {tenant.slug!r} was changed by somebody else meanwhile: try again.")
    lookup.forget(tenant.slug)
# % if cookiecutter.__managed_tenants


def rotate(slug: str) -> Tenant:
    """Give a tenant a user of its own with a new password, the other one of its two, and return the tenant's row.

    The user before stays good until `retire`: other processes know of the change a moment later. May be repeated after
    any interruption. Raises `LookupError` where there is no key to encrypt with, `TenantError` on SQLite and where
    another process is busy with the tenant, and Django's database errors.
    """
    with alone_with(find(slug)):
        tenant = find(slug)
        if tenant.status not in SETTLED:
            refuse(tenant, "change the credentials of")
        user, password = server_users.next_user(tenant), passwords.Password(secrets.token_urlsafe(32))
        kept = passwords.encrypt(password)
        server_users.install(tenant, settings_of(tenant), user, password)
        _replace(tenant, user, kept)
    return find(slug)


def retire(slug: str) -> None:
    """Let nobody log in as the user that the tenant had before. Call it once all processes know of the new one."""
    with alone_with(find(slug)):
        tenant = find(slug)
        server_users.retire(tenant, settings_of(tenant), server_users.next_user(tenant))


def rotate_all(slugs: list[str], report: Callable[[str], object]) -> list[str]:
    """Rotate the credentials of these tenants, wait once until all processes know, and retire the users before.

    Arguments: the slugs, and what takes a line of text: it gets one per tenant, in this order, once all is done for it.
    Returns the slugs of those for which it failed.
    """
    tenants = [find(slug) for slug in slugs]
    errors: dict[str, Exception] = {}

    def begin(tenant: Tenant) -> None:
        try:
            rotate(tenant.slug)
        except Exception as error:
            errors[tenant.slug] = error

    def end(tenant: Tenant) -> None:
        if tenant.slug in errors:
            raise errors[tenant.slug]
        try:
            retire(tenant.slug)
        except Exception as error:
            name = server_users.next_user(find(tenant.slug))
            raise TenantError(f"{name!r}, its user before, can still log in: run this again. {error}") from error

    for_each(tenants, begin, lambda line: None)
    if len(errors) < len(tenants):
        wait_until_all_know()
    return for_each(tenants, end, report)
# % else


def rotate_all(slugs: list[str], report: Callable[[str], object]) -> list[str]:
    """Raise `ValueError`: users of these servers are for their owners to change, and for us to `store`."""
    raise ValueError("Their databases are somebody else's, who changes passwords: store the new one with --user.")
# % endif
