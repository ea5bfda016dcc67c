"""Which status of a tenant may follow which, and the only way from one to the next."""

from __future__ import annotations

from typing import Any

from . import lookup
from .registry import Tenant, find

Status = Tenant.Status

#: For each action: the statuses it may start from, and the one it leads to. An action may be repeated.
ACTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "activate": ((Status.PENDING,), Status.ACTIVE),
    "suspend": ((Status.ACTIVE, Status.SUSPENDED), Status.SUSPENDED),
    "resume": ((Status.SUSPENDED, Status.ACTIVE), Status.ACTIVE),
    # % if cookiecutter.__managed_tenants
    "move": ((Status.ACTIVE, Status.MOVING), Status.MOVING),
    "end the move of": ((Status.MOVING,), Status.ACTIVE),
    "archive": ((Status.ACTIVE, Status.SUSPENDED, Status.ARCHIVING), Status.ARCHIVING),
    "give up archiving": ((Status.ARCHIVING,), Status.SUSPENDED),
    "end the archiving of": ((Status.ARCHIVING,), Status.ARCHIVED),
    "restore": ((Status.ARCHIVED, Status.RESTORING), Status.RESTORING),
    "give up restoring": ((Status.RESTORING,), Status.ARCHIVED),
    "end the restoring of": ((Status.RESTORING,), Status.ACTIVE),
    # % endif
}

#: What to do about a tenant that an action was refused for.
WAYS_OUT: dict[str, str] = {
    Status.PENDING: "make its database ready first, with `create_tenant`",
    Status.ACTIVE: "it is served, and needs nothing",
    Status.SUSPENDED: "open its pages first, with `resume_tenant`",
    # % if cookiecutter.__managed_tenants
    Status.MOVING: "run `move_tenant` again, which carries on, or `move_tenant --cancel`",
    Status.ARCHIVING: "run `archive_tenant` again, which carries on, or `archive_tenant --cancel`",
    Status.ARCHIVED: "bring it back first, with `restore_tenant`",
    Status.RESTORING: "run `restore_tenant` again, which carries on",
    # % endif
}


class TenantError(RuntimeError):
    """Something that was to be done to a tenant was not done; the message says why, and what to do."""


class StateError(TenantError):
    """A tenant's status does not allow what was to be done."""


def change(slug: str, action: str, **values: Any) -> Tenant:
    """Take a tenant from one status to the next, setting other fields of its row along with it; return the new row.

    Arguments: the slug, a key of `ACTIONS`, and those fields. Raises `StateError` where the present status, which is
    compared by the same statement that changes it, is not one to start from, and `UnknownTenantError`.
    """
    before, after = ACTIONS[action]
    if not Tenant.objects.filter(pk=find(slug).pk, status__in=before).update(status=after, **values):
        refuse(find(slug), action)
    lookup.forget(slug)
    return find(slug)


def refuse(tenant: Tenant, action: str) -> None:
    """Raise the `StateError` for an action that a tenant's status does not allow."""
    raise StateError(f"Cannot {action} {tenant.slug!r}, which is {tenant.status}: {WAYS_OUT[tenant.status]}.")


def suspend(slug: str) -> Tenant:
    """Let a tenant's pages answer 503, and return its row. Raises `StateError` and `UnknownTenantError`."""
    return change(slug, "suspend")


def resume(slug: str) -> Tenant:
    """Open the pages of a suspended tenant, and return its row. Raises `StateError` and `UnknownTenantError`."""
    return change(slug, "resume")
