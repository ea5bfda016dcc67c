"""`manage.py move_tenant acme --server eu`: its pages only read meanwhile, and the old database is kept."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants import move
from databases.tenants.errors import told_by_command


class Command(BaseCommand):
    help = (
        "Copy a tenant's database to another server, compare the two, and switch. Safe to run again: it carries on. "
        "The old database is kept until --drop-old, which archives it first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--server", default="", help="name of the server, as in TENANT_SERVERS")
        what.add_argument("--cancel", action="store_true", help="give up a move that was interrupted")
        what.add_argument(
            "--drop-old", action="store_true", help="archive and drop what the tenant has moved away from"
        )
        parser.add_argument("--to", type=Path, help="the folder for the archives of --drop-old")
        parser.add_argument("--wait", type=float, default=10, help="seconds that open transactions may go on (10)")

    def handle(self, *, slug: str, server: str, to: Path | None, wait: float, **options: Any) -> None:
        if options["drop_old"] != bool(to):
            raise CommandError("--drop-old needs --to, the folder for the archives, and nothing else does.")
        with told_by_command(slug):
            if to is not None:
                for copy in move.drop_old(slug, to, patience=wait):
                    self.stdout.write(f"{slug}: archived in {copy.path}, SHA-256 {copy.sha256}")
                return
            tenant = move.cancel(slug) if options["cancel"] else move.move(slug, server, patience=wait)
            self.stdout.write(f"{slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")
