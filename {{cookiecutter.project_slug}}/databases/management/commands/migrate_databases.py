"""`manage.py migrate_databases`: migrates every database that this project owns, and says what it did to each."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.migrating import Result, migrate_all


class Command(BaseCommand):
    help = (
        "Migrate every database that this project owns, one after the other. Exits 1 if one of them fails; run it "
        "again, and it continues. `migrate` alone migrates one database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("aliases", nargs="*", help="migrate these of OWN_DATABASES only (default: every database)")
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a migration is pending")
        parser.add_argument("--plan", action="store_true", help="change nothing; list the pending migrations")
        parser.add_argument("--json", action="store_true", help="write the results as one JSON document")

    def handle(self, *, aliases: list[str], check: bool, plan: bool, **options: Any) -> None:
        if unknown := sorted({*aliases} - {*settings.OWN_DATABASES}):
            raise CommandError(f"{unknown[0]!r} is not in OWN_DATABASES: name {' or '.join(settings.OWN_DATABASES)}.")
        results = []
        if not (check or plan or options["json"]):
            self.stderr.write(f"Migrating {', '.join(aliases or settings.OWN_DATABASES)} …", str)
        for result in migrate_all(aliases, pending_only=check or plan):
            results.append(result)
            if not options["json"]:
                self.write(result, pending_only=check or plan, in_full=plan)
        if options["json"]:
            self.stdout.write(json.dumps([result._asdict() for result in results], indent=2))
        if failed := [result.database for result in results if result.error]:
            raise CommandError(f"Failed: {', '.join(failed)}. Correct the cause, and run this again.")
        if check and (behind := [result.database for result in results if result.migrations]):
            raise CommandError(f"Migrations are pending on: {', '.join(behind)}. Run migrate_databases.")

    def write(self, result: Result, *, pending_only: bool, in_full: bool) -> None:
        """Write the line of one database, and with `in_full` a line for each migration."""
        if result.error:
            self.stderr.write(f"{result.database}: failed: {result.error}")
            return
        number, verb = len(result.migrations), "pending" if pending_only else "applied"
        state = f"skipped: {result.skipped}" if result.skipped else f"{number} {verb}" if number else "up to date"
        self.stdout.write(f"{result.database}: {state}")
        if in_full:
            for migration in result.migrations:
                self.stdout.write(f"  {migration}")
