"""Changes the status of a tenant by the tables in `states`. No other module writes a status."""

from __future__ import annotations

from typing import Any

from databases.tenants.context import SLUG
from databases.tenants.registry import Tenant, find
from databases.tenants.registry_cache import cache
from databases.tenants.states import ACTIONS, STATES, StateError


def change(slug: str, action: str, **values: Any) -> Tenant:
    """Apply an action to a tenant: set its next status and other fields of its row. Return the new row.

    Arguments: the slug, a key of `ACTIONS`, and the fields. Raises `StateError` if the action cannot start from the
    current status, and `UnknownTenantError`. One statement compares and sets the status, so that a change by another
    process is not undone.
    """
    before, after = ACTIONS[action]
    # An invalid slug is not queried: databases reject some characters.
    known = Tenant.objects.filter(slug=slug if SLUG.fullmatch(slug) else "", status__in=before)
    if not known.update(status=after, **values):
        refuse(find(slug), action)
    cache.forget(slug)
    return find(slug)


def delete_pending(tenant: Tenant) -> None:
    """Delete the row of a pending tenant, whose alias has never led to a database. Raises `StateError`."""
    if not Tenant.objects.filter(pk=tenant.pk, status__in=ACTIONS["correct"][0]).delete()[0]:
        refuse(find(tenant.slug), "purge")


def refuse(tenant: Tenant, action: str) -> None:
    """Raise a `StateError` that says what to do before this action."""
    raise StateError(f"Cannot {action} {tenant.slug!r}, which is {tenant.status}: {STATES[tenant.status].way_out}.")


def suspend(slug: str) -> Tenant:
    """Make a tenant's pages answer 503, and return its row. Raises `StateError` and `UnknownTenantError`."""
    return change(slug, "suspend")


def resume(slug: str) -> Tenant:
    """Open the pages of a suspended tenant, and return its row. Raises `StateError` and `UnknownTenantError`."""
    return change(slug, "resume")
