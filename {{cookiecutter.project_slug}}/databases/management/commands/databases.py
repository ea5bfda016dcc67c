"""`manage.py databases`: which app lives where, which migrations are applied, and is every database healthy."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from databases.report import Report, report_all


class Command(BaseCommand):
    help = "Show every database and its applied and recorded migrations. Exits 1 if any database is unhealthy."

    def handle(self, **options: Any) -> None:
        reports = report_all()
        for report in reports:
            self.write(report)
        unhealthy = [report.alias for report in reports if report.problems]
        if unhealthy:
            raise CommandError(f"Unhealthy: {', '.join(unhealthy)}")

    def write(self, report: Report) -> None:
        """Write one database: a headline, a line for each detail, its problems."""
        self.stdout.write(self.style.MIGRATE_HEADING(f"{report.alias}: {report.role}, {report.engine}, {report.name}"))
        for subject, state in report.details.items():
            self.stdout.write(f"  {subject:<15} {state}")
        for problem in report.problems:
            self.stdout.write(self.style.ERROR(f"  PROBLEM: {problem}"))
