"""`manage.py restore_tenant acme`: from its archive into a new database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.archive import restore
from databases.tenants.errors import told_by_command


class Command(BaseCommand):
    help = "Bring an archived tenant back, into a new database. Safe to run again: it carries on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--from", type=Path, dest="file", help="its file, if that is not where it was written")
        parser.add_argument(
            "--server", default="", help="name of the server, as in TENANT_SERVERS, if another than before"
        )

    def handle(self, *, slug: str, file: Path | None, server: str, **options: Any) -> None:
        with told_by_command(slug):
            tenant = restore(slug, file, server)
            self.stdout.write(f"{slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")
