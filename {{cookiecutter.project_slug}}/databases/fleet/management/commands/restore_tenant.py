"""`manage.py restore_tenant acme`: from its archive into a new database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.fleet.archive import restore
from databases.tenants.errors import command_errors


class Command(BaseCommand):
    help = "Restore an archived tenant into a new database. Safe to run again: it continues."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--from", type=Path, dest="file", help="the archive's file, if it was moved")
        parser.add_argument("--server", default="", help="name of the server, as in TENANT_SERVERS (the previous one)")

    def handle(self, *, slug: str, file: Path | None, server: str, **options: Any) -> None:
        with command_errors(slug):
            tenant = restore(slug, file, server)
            self.stdout.write(f"{slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")
