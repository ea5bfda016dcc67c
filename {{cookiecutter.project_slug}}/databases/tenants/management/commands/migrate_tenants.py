"""`manage.py migrate_tenants`: migrates every tenant's database, and reports on each."""

import json
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants.managed.locks import named_lock
from databases.tenants.managed.migrate import (
    BUSY,
    Outcome,
    migrate_all,
    migrate_in_processes,
    statuses_without_database,
)
from databases.tenants.registry import Tenant
from databases.tenants.selection import select_tenants
from databases.tenants.states import TenantError

#: The width of the progress bar.
BAR = 24


class Command(BaseCommand):
    help = "Migrate the databases of all tenants, or of the named ones. After a failure run it again: it continues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants to migrate (default: all)")
        parser.add_argument(
            "--canary",
            action="append",
            default=[],
            metavar="SLUG",
            help="migrate this tenant first, and stop if it fails; may be given several times",
        )
        parser.add_argument("--jobs", type=int, default=1, help="number of processes (default: 1)")
        parser.add_argument("--json", action="store_true", help="write the outcomes as one JSON document")

    def handle(self, *, slugs: list[str], canary: list[str], jobs: int, **options: Any) -> None:
        try:
            first = select_tenants(canary) if canary else []
            rest = [tenant for tenant in self.selected(slugs) if tenant.slug not in canary]
            with named_lock("migrate_tenants", BUSY):
                outcomes = self.migrate(first, rest, jobs, quiet=options["json"])
        except (LookupError, TenantError) as error:
            raise CommandError(str(error)) from error
        failed = [outcome for outcome in outcomes if outcome.error]
        if options["json"]:
            self.stdout.write(json.dumps([outcome._asdict() for outcome in outcomes], indent=2))
        for outcome in failed:
            self.stderr.write(f"{outcome.slug}: {outcome.error}")
        if failed:
            names = ", ".join(outcome.slug for outcome in failed)
            left = len(first) + len(rest) - len(outcomes)
            skipped = f"; the other {left} were not started" if left else ""
            raise CommandError(f"{len(failed)} of {len(first) + len(rest)} tenants failed: {names}{skipped}")

    def selected(self, slugs: list[str]) -> list[Tenant]:
        """Return the named tenants, or all that have a database. Raises `UnknownTenantError`."""
        return select_tenants(slugs) if slugs else list(Tenant.objects.exclude(status__in=statuses_without_database()))

    def migrate(self, first: list[Tenant], rest: list[Tenant], jobs: int, *, quiet: bool) -> list[Outcome]:
        """Migrate the canaries and, if none of them fails, the rest. Return the outcomes."""
        outcomes: list[Outcome] = []
        is_bar = not quiet and self.stdout.isatty()
        if is_bar:
            self.show(0, len(first) + len(rest))
        for tenants in (first, rest):
            some = migrate_in_processes(tenants, jobs) if jobs > 1 and tenants is rest else migrate_all(tenants)
            for outcome in some:
                outcomes.append(outcome)
                if not quiet:
                    self.show(len(outcomes), len(first) + len(rest), f"{outcome.slug}: {outcome}")
            if any(outcome.error for outcome in outcomes):
                break
        if is_bar:
            self.stdout.write("")
        return outcomes

    def show(self, number: int, total: int, line: str = "") -> None:
        """Write the progress and the last outcome. On a terminal a progress bar overwrites the previous line."""
        if not self.stdout.isatty():
            self.stdout.write(f"[{number}/{total}] {line}")
            return
        done = BAR * number // max(total, 1)
        # A line that the terminal wraps could not be overwritten.
        shown = f"[{'#' * done}{'.' * (BAR - done)}] {number}/{total} {line}"[: get_terminal_size().columns - 1]
        self.stdout.write(f"\r\033[K{shown}", ending="")
        self.stdout.flush()
