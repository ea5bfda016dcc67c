"""`manage.py migrate_tenants`: migrates every tenant's database, and reports on each."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from databases.tenants.commands import select_tenants
from databases.tenants.managed.locks import named_lock
from databases.tenants.managed.migrate import BUSY, Outcome, migrate_all, statuses_without_database
from databases.tenants.managed.processes import migrate_in_processes
from databases.tenants.managed.schema_check import check_all
from databases.tenants.managed.waves import REST, share, waves
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError


class Command(BaseCommand):
    help = "Migrate the databases of all tenants, or of the named ones. After a failure run it again: it continues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants to migrate (default: all)")
        parser.add_argument(
            "--wave",
            default=REST,
            metavar="WAVES",
            help="migrate in waves, separated by commas: slugs joined by +, a percentage of all, a number, or `rest`",
        )
        parser.add_argument(
            "--max-failures",
            default="0",
            metavar="NUMBER",
            help="stop after a wave in which more tenants failed than this number or percentage (default: 0)",
        )
        parser.add_argument("--jobs", type=int, default=1, help="number of processes (default: 1)")
        parser.add_argument(
            "--check",
            action="store_true",
            help="migrate nothing: compare each tenant's tables with those that its recorded migrations make",
        )
        parser.add_argument("--json", action="store_true", help="write the outcomes as one JSON document")

    def handle(self, *, slugs: list[str], wave: str, max_failures: str, jobs: int, **options: Any) -> None:
        as_json = options["json"]
        try:
            tenants = (
                select_tenants(slugs) if slugs else [*Tenant.objects.exclude(status__in=statuses_without_database())]
            )
            share(max_failures, 0)
            planned = waves(wave, tenants)
            with named_lock("migrate_tenants", BUSY):
                if not as_json:
                    verb = "Comparing" if options["check"] else "Migrating"
                    self.stderr.write(f"{verb} {len(tenants)} tenant{pluralize(len(tenants))} …", str)
                if options["check"]:
                    return self.compare(tenants, as_json=as_json)
                outcomes = self.migrate(planned, len(tenants), jobs, max_failures, quiet=as_json)
        except (LookupError, ValueError, TenantError) as error:
            raise CommandError(str(error)) from error
        if as_json:
            self.stdout.write(json.dumps([outcome._asdict() for outcome in outcomes], indent=2))
        left = len(tenants) - len(outcomes)
        if failed := [outcome.slug for outcome in outcomes if outcome.error]:
            skipped = f"; the other {left} were not started" if left else ""
            raise CommandError(f"{len(failed)} of {len(tenants)} tenants failed: {', '.join(failed)}{skipped}")
        if left:
            self.stderr.write(f"{left} of {len(tenants)} tenants were not started: they are in no wave.")

    def compare(self, tenants: list[Tenant], *, as_json: bool) -> None:
        """Report how the tables of tenants differ from their history. Raises `CommandError` if any does."""
        findings = []
        for finding in check_all(tenants):
            findings.append(finding)
            lines = [f"failed: {finding.error}"] if finding.error else finding.differences
            for line in [] if as_json else lines or ["as its migrations made it"]:
                self.stdout.write(f"{finding.slug}: {line}")
        if as_json:
            self.stdout.write(json.dumps([finding._asdict() for finding in findings], indent=2))
        if found := [finding.slug for finding in findings if finding.differences or finding.error]:
            raise CommandError(f"{len(found)} of {len(tenants)} tenants differ or failed: {', '.join(found)}")

    def migrate(
        self, planned: list[list[Tenant]], total: int, jobs: int, max_failures: str, *, quiet: bool
    ) -> list[Outcome]:
        """Migrate wave after wave, until too many tenants of a wave fail. Return the outcomes."""
        outcomes: list[Outcome] = []
        for tenants in planned:
            failures = 0
            some = migrate_in_processes(tenants, jobs) if jobs > 1 and len(tenants) > 1 else migrate_all(tenants)
            for outcome in some:
                outcomes.append(outcome)
                failures += bool(outcome.error)
                if not quiet:
                    self.stdout.write(f"[{len(outcomes)}/{total}] {outcome.slug}: {outcome}")
            if failures > share(max_failures, len(tenants)):
                break
        return outcomes
