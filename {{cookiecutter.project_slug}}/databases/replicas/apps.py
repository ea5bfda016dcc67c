"""Read replicas of the primary."""

from django.apps import AppConfig

from databases.report import Report


class ReplicasConfig(AppConfig):
    name = "databases.replicas"

    def ready(self) -> None:
        from databases.replicas import checks, writes

        writes.install()
        checks.install()

    def add_to_report(self, report: Report) -> None:
        """Add the status of a replica."""
        from databases.replicas import watch
        from databases.replicas.views import status_of

        if watch.is_replica(report.alias):
            status = status_of(report.alias)
            if "problem" in status:
                report.problems.append(status.pop("problem"))
            del status["healthy"]
            report.details["replication"] = ", ".join(f"{name} {value}" for name, value in status.items()) or "-"
