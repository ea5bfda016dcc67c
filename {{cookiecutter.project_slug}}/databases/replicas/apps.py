"""Read replicas of the primary."""

from django.apps import AppConfig
from django.conf import settings

from databases.report import Report


class ReplicasConfig(AppConfig):
    name = "databases.replicas"

    def ready(self) -> None:
        from databases.replicas import writes

        writes.install()

    def add_to_report(self, report: Report) -> None:
        """Add the status of a replica. Raises Django's database errors."""
        from databases.replicas.health import is_replica, replica_status

        if not is_replica(report.alias):
            return
        status = replica_status(report.alias)
        report.details["replication"] = str(status)
        if status.lags(settings.REPLICA_MAX_LAG_SECONDS):
            report.problems.append("lags too far behind, so it is not used")
