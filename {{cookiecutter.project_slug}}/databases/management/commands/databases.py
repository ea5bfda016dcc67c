"""`manage.py databases`: every database, how it is, and with -v 2 which migrations of each app are applied there."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from django.contrib.staticfiles import finders
from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.picture import boxes_of, draw
from databases.report import Report, report_all, report_listed, report_servers

#: Of each column but the last.
WIDTHS = "{:<28} {:<9} {:<10} {:>6}  "


class Command(BaseCommand):
    help = (
        "Show every database: role, engine, how long it took to answer, and its migrations or tables. With -v 2 also "
        "each app. Exits 1 if any database is unhealthy."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--json", action="store_true", help="write a JSON list")
        group.add_argument("--svg", action="store_true", help="write the picture of the page /databases/")

    def handle(self, **options: Any) -> None:
        if options["svg"]:
            style = Path(str(finders.find("databases/page.css"))).read_text(encoding="utf-8")
            self.stdout.write(draw(boxes_of(report_listed()), style))
            return
        reports: Iterable[Report] = chain(report_all(), report_servers())
        if options["json"]:
            reports = list(reports)
            self.stdout.write(json.dumps([asdict(report) for report in reports], indent=2))
        else:
            self.stdout.write(self.style.MIGRATE_HEADING(WIDTHS.format("database", "role", "engine", "ms") + "state"))
        unhealthy = []
        for report in reports:
            if not options["json"]:
                # At once: many tenants take their time.
                self.write(report, options["verbosity"])
            if report.problems:
                unhealthy.append(report.alias)
        if unhealthy:
            raise CommandError(f"Unhealthy: {', '.join(unhealthy)}. Their problems say why.")

    def write(self, report: Report, verbosity: int) -> None:
        """Write one database: a line that fits the terminal if its facts do, its problems, and perhaps its apps."""
        latency = "-" if report.latency is None else f"{report.latency:.1f}"
        head = WIDTHS.format(report.alias, report.role, report.engine, latency)
        width = max(20, get_terminal_size().columns - len(head))
        first, *others = wrap(", ".join(report.facts), width) or ["unhealthy" if report.problems else "-"]
        self.stdout.write(head + first)
        for line in others:
            self.stdout.write(" " * len(head) + line)
        if verbosity > 1:
            self.stdout.write(f"  {report.name}")
            for subject, state in report.details.items():
                self.stdout.write(f"  {subject:<15} {state}")
        for problem in report.problems:
            self.stdout.write(self.style.ERROR(f"  PROBLEM: {problem}"))
