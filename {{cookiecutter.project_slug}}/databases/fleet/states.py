"""The statuses of tenants that are moved, archived or restored."""

from __future__ import annotations

from django.db.models import TextChoices

from databases.tenants.states import ACTIONS, STATES, State, Status


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
                "moving to another server: its pages are read-only",
                "run `move_tenant` again, which continues, or `move_tenant --cancel`",
                is_served=True,
                is_read_only=True,
            ),
            FleetStatus.ARCHIVING: State(
                "archiving: its pages answer 503",
                "run `archive_tenant` again, which continues, or `archive_tenant --cancel`",
                is_closed=True,
            ),
            FleetStatus.ARCHIVED: State(
                "archived: it has no database, and its pages answer 404",
                "restore it first, with `restore_tenant`",
                is_closed=True,
                is_gone=True,
            ),
            FleetStatus.RESTORING: State(
                "restoring from its archive: its pages answer 503",
                "run `restore_tenant` again, which continues",
                is_closed=True,
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
