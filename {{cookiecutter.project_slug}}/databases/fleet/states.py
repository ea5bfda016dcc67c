"""The statuses of tenants that are moved, archived or restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import TextChoices

from databases.tenants.states import ACTIONS, STATES, State, Status

if TYPE_CHECKING:
    from databases.tenants.registry import Tenant


class FleetStatus(TextChoices):
    """The statuses of a tenant during and after an operation of the fleet."""

    MOVING = "moving"
    ARCHIVING = "archiving"
    ARCHIVED = "archived"
    RESTORING = "restoring"


def install() -> None:
    """Add the fleet's statuses and actions to the tenants' tables."""
    STATES.update(
        {
            FleetStatus.MOVING: State(
                "moving to another server: its pages answer 503",
                "run `move_tenant` again, or `move_tenant --cancel`",
                is_closed=True,
            ),
            FleetStatus.ARCHIVING: State(
                "archiving: its pages answer 503",
                "run `archive_tenant` again, or `archive_tenant --cancel`",
                is_closed=True,
            ),
            FleetStatus.ARCHIVED: State(
                "archived in a file: its pages answer 404",
                "restore it first, with `restore_tenant`",
                is_closed=True,
                is_gone=True,
            ),
            FleetStatus.RESTORING: State(
                "restoring from its archive: its pages answer 503", "run `restore_tenant` again", is_closed=True
            ),
        }
    )
    ACTIONS.update(
        {
            "move": ((Status.ACTIVE, FleetStatus.MOVING), FleetStatus.MOVING),
            "finish moving": ((FleetStatus.MOVING,), Status.ACTIVE),
            "archive": ((Status.ACTIVE, Status.SUSPENDED, FleetStatus.ARCHIVING), FleetStatus.ARCHIVING),
            "cancel archiving": ((FleetStatus.ARCHIVING,), Status.SUSPENDED),
            "finish archiving": ((FleetStatus.ARCHIVING,), FleetStatus.ARCHIVED),
            "restore": ((FleetStatus.ARCHIVED, FleetStatus.RESTORING), FleetStatus.RESTORING),
            "cancel restoring": ((FleetStatus.RESTORING,), FleetStatus.ARCHIVED),
            "finish restoring": ((FleetStatus.RESTORING,), Status.ACTIVE),
        }
    )


def has_database(tenant: Tenant) -> bool:
    """Return whether a tenant has a database that is used, and not only a closed one and a file."""
    return tenant.status not in (FleetStatus.ARCHIVED, FleetStatus.RESTORING)
