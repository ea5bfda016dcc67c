"""`manage.py move_tenant acme --server eu`: its pages are read-only meanwhile, and the old database is kept."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.fleet import relocate
from databases.tenants.errors import command_errors


class Command(BaseCommand):
    help = (
        "Copy a tenant's database to another server, compare the two, and switch. Safe to run again: it continues. "
        "The old database is kept until --drop-old, which archives it first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--server", default="", help="name of the server, as in TENANT_SERVERS")
        what.add_argument("--cancel", action="store_true", help="cancel an interrupted move")
        what.add_argument(
            "--drop-old", action="store_true", help="archive and drop the databases that the tenant has moved away from"
        )
        parser.add_argument("--to", type=Path, help="the folder for the archives of --drop-old")
        parser.add_argument(
            "--wait", type=float, default=10, help="seconds that open transactions may take to end (10)"
        )

    def handle(self, *, slug: str, server: str, to: Path | None, wait: float, **options: Any) -> None:
        if options["drop_old"] != bool(to):
            raise CommandError("--drop-old needs --to, the folder for the archives, and nothing else does.")
        with command_errors(slug):
            if to is not None:
                for archived in relocate.drop_old(slug, to, timeout=wait):
                    self.stdout.write(f"{slug}: archived in {archived.path}, SHA-256 {archived.sha256}")
                return
            tenant = relocate.cancel(slug) if options["cancel"] else relocate.move(slug, server, timeout=wait)
            self.stdout.write(f"{slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")
