"""The fleet: tenants on many servers, moved, archived, and each with its own database user. PostgreSQL only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from databases.report import Report


class FleetConfig(AppConfig):
    name = "databases.fleet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from databases.fleet import checks, ownership, states

        states.install()
        ownership.enable()
        checks.install()

    def server_reports(self) -> Iterator[Report]:
        """Yield a report of each server of tenants."""
        from databases.fleet.usage import report_servers

        yield from report_servers()
