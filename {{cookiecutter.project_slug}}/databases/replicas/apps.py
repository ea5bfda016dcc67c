"""Read replicas of the primary."""

from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS

from databases.picture import Box
from databases.report import Report


class ReplicasConfig(AppConfig):
    name = "databases.replicas"

    def ready(self) -> None:
        from databases.replicas import checks, writes

        writes.install()
        checks.install()

    def health_of(self, alias: str) -> dict[str, Any] | None:
        """Return the state of the primary or of a replica for `/readyz`."""
        from databases.replicas.health import health_of

        return health_of(alias)

    def add_to_report(self, report: Report) -> None:
        """Add the status of a replica."""
        from databases.replicas import watch
        from databases.replicas.health import status_of

        if watch.is_replica(report.alias):
            status = status_of(report.alias)
            if "problem" in status:
                report.problems.append(status.pop("problem"))
            del status["healthy"]
            report.details["replication"] = ", ".join(f"{name} {value}" for name, value in status.items()) or "-"
            if "lag_seconds" in status:
                report.facts.append(f"{status['lag_seconds']} s behind")

    def add_to_picture(self, boxes: list[Box]) -> None:
        """Show that replicas copy the primary, and are only read."""
        for box in boxes:
            if box.role == "replica":
                box.access, box.copy_of = "reads", DEFAULT_DB_ALIAS
