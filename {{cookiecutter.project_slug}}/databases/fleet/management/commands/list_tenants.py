"""`manage.py list_tenants --json`: also the size of each tenant's database, and the sessions on it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.migrations.recorder import MigrationRecorder

from databases.fleet.usage import usage_on
from databases.migrating import one_line
from databases.tenants.commands import EXPECTED
from databases.tenants.maintenance import inside
from databases.tenants.managed.migrate import statuses_without_database
from databases.tenants.management.commands import list_tenants
from databases.tenants.registry import find


class Command(list_tenants.Command):
    help = f"{list_tenants.Command.help} With --json also the size in bytes and the number of sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--migrations", action="store_true", help="with --json, also the last migration: connects to each tenant"
        )

    def handle(self, **options: Any) -> None:
        self.failed = 0
        super().handle(**options)
        if self.failed:
            raise CommandError(f"{self.failed} tenants could not be asked: see 'error' in their entries.")

    def rows(self, **options: Any) -> Iterator[dict[str, Any]]:
        rows = list(super().rows(**options))
        if options["json"]:
            self.add_usage(rows)
            if options["migrations"]:
                for row in rows:
                    self.add_migration(row)
            self.failed = sum("error" in row for row in rows)
        yield from rows

    def add_usage(self, rows: list[dict[str, Any]]) -> None:
        """Add the sizes and sessions, or the error of the server, by one query for each server."""
        servers = defaultdict(list)
        for row in rows:
            servers[row["server"]].append(row)
        for server, rows_of_server in servers.items():
            usage, failure = {}, {}
            try:
                usage = usage_on(server, [row["database"] for row in rows_of_server])
            except EXPECTED as error:
                failure["error"] = one_line(error)
            for row in rows_of_server:
                found = usage.get(row["database"])
                row |= {"size": found and found.size, "connections": found and found.connections, **failure}

    def add_migration(self, row: dict[str, Any]) -> None:
        """Add the migration that was applied last, or the error of the tenant's database."""
        row["last_migration"] = None
        # A server that is down would have each of its tenants wait.
        if "error" in row or row["status"] in statuses_without_database():
            return
        try:
            tenant = find(row["slug"])
            with inside(tenant) as connection:
                last = MigrationRecorder(connection).migration_qs.order_by("applied", "id").last()
        except EXPECTED as error:
            row["error"] = one_line(error)
        else:
            name = last and f"{last.app}.{last.name}"
            row["last_migration"] = last and {"name": name, "applied": last.applied.isoformat()}
