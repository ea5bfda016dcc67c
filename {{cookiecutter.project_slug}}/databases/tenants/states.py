"""The statuses of a tenant, and the actions that lead from one to another. `transitions` changes rows by these tables.

The fleet adds its own statuses and actions.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices


class Status(TextChoices):
    """The statuses that every tenant may have."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True)
class State:
    """What a status means: a description, what to do to leave it, and what is allowed in it."""

    description: str
    way_out: str
    #: Its pages are served.
    is_served: bool = False
    #: Connections are refused: the database may not exist.
    is_closed: bool = False
    #: Its pages answer 404.
    is_gone: bool = False


STATES: dict[str, State] = {
    Status.PENDING: State(
        "pending: its database is not ready yet", "make its database ready first, with `create_tenant`"
    ),
    Status.ACTIVE: State("active", "it is served, and needs nothing", is_served=True),
    Status.SUSPENDED: State("suspended: its pages answer 503", "open its pages first, with `resume_tenant`"),
}

#: By action: the statuses that it may start from, and the status that it leads to.
ACTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "correct": ((Status.PENDING,), Status.PENDING),
    "activate": ((Status.PENDING,), Status.ACTIVE),
    "suspend": ((Status.ACTIVE, Status.SUSPENDED), Status.SUSPENDED),
    "resume": ((Status.SUSPENDED, Status.ACTIVE), Status.ACTIVE),
}


class TenantError(RuntimeError):
    """An operation on a tenant was refused. The message says why, and what to do."""


class StateError(TenantError):
    """A tenant's status does not allow an operation."""


def statuses() -> list[tuple[str, str]]:
    """Return the choices of `Tenant.status`. Migrations name this function, so new statuses need no migration."""
    return [(str(status), state.description) for status, state in STATES.items()]
