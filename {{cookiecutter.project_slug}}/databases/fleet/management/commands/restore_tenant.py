"""`manage.py restore_tenant acme`: from its archive into a new database."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from databases.fleet.archive import restore
from databases.tenants.commands import TenantCommand


class Command(TenantCommand):
    doing = "restoring"
    help = "Restore an archived tenant into a new database. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", type=Path, dest="file", help="the archive's file, if it was moved")
        parser.add_argument("--server", default="", help="name of the server, as in TENANT_SERVERS (the previous one)")

    def run(self, slug: str, *, file: Path | None, server: str, **options: Any) -> str:
        tenant = restore(slug, file, server)
        return f"{tenant.status}, in the database {tenant.database} on {tenant.server}"
