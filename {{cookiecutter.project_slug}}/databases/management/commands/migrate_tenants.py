"""`manage.py migrate_tenants`: brings every tenant's database up to date, and tells of each how it went."""

import json
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants.alone import alone
from databases.tenants.fleet import choose
from databases.tenants.migrating import WITHOUT_DATABASE, Outcome, migrate_all, migrate_in_processes
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

#: The width of the bar that shows on a terminal how far it has come.
BAR = 24
BUSY = "Tenants are being migrated by another process: wait for it, and run this again."


class Command(BaseCommand):
    help = "Migrate the databases of all tenants, or of those named. Run it again after a failure: it carries on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants to migrate (all if none is named)")
        parser.add_argument(
            "--canary",
            action="append",
            default=[],
            metavar="SLUG",
            help="migrate this tenant first, and no other one if it fails; may be given several times",
        )
        parser.add_argument("--jobs", type=int, default=1, help="processes to share the work (1 if not given)")
        parser.add_argument("--json", action="store_true", help="write the outcome as one JSON document")

    def handle(self, *, slugs: list[str], canary: list[str], jobs: int, **options: Any) -> None:
        try:
            first = choose(canary) if canary else []
            rest = [tenant for tenant in self.chosen(slugs) if tenant.slug not in canary]
            with alone("migrate_tenants", BUSY):
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
            left_out = f"; the other {left} were not begun" if left else ""
            raise CommandError(f"{len(failed)} of {len(first) + len(rest)} tenants failed: {names}{left_out}")

    def chosen(self, slugs: list[str]) -> list[Tenant]:
        """Return the tenants that are named, or all that have a database. Raises `UnknownTenantError`."""
        return choose(slugs) if slugs else list(Tenant.objects.exclude(status__in=WITHOUT_DATABASE))

    def migrate(self, first: list[Tenant], rest: list[Tenant], jobs: int, *, quiet: bool) -> list[Outcome]:
        """Migrate the canaries, and the rest unless one of them failed; return how it went with each."""
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
        """Write how many are done, and of the last one how: on a terminal over the line before, as a bar."""
        if not self.stdout.isatty():
            self.stdout.write(f"[{number}/{total}] {line}")
            return
        done = BAR * number // max(total, 1)
        # A line that the terminal breaks in two could not be written over.
        shown = f"[{'#' * done}{'.' * (BAR - done)}] {number}/{total} {line}"[: get_terminal_size().columns - 1]
        self.stdout.write(f"\r\033[K{shown}", ending="")
        self.stdout.flush()
