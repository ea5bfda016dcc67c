"""`manage.py databases`: what is where, and is it well."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from databases.overview import Report, report_all


class Command(BaseCommand):
    help = "Show every database, what is really applied there and what is only recorded. Fails if one is not well."

    def handle(self, **options: Any) -> None:
        reports = report_all()
        for report in reports:
            self.write(report)
        unwell = [report.alias for report in reports if report.problems]
        if unwell:
            raise CommandError(f"Not well: {', '.join(unwell)}")

    def write(self, report: Report) -> None:
        """Write one database: a headline, a line for each detail, its problems."""
        self.stdout.write(self.style.MIGRATE_HEADING(f"{report.alias}: {report.role}, {report.engine}, {report.name}"))
        for subject, state in report.details.items():
            self.stdout.write(f"  {subject:<15} {state}")
        for problem in report.problems:
            self.stdout.write(self.style.ERROR(f"  PROBLEM: {problem}"))
