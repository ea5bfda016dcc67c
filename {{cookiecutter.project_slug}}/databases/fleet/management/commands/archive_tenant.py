"""`manage.py archive_tenant acme --to /srv/archives`: into a file, which is verified before the database is dropped."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.fleet.archive import archive, cancel
from databases.tenants.errors import command_errors


class Command(BaseCommand):
    help = (
        "Write a tenant's database into a file, load the file into a scratch database, and drop the tenant's database "
        "if both hold the same. Safe to run again: it continues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--to", type=Path, help="the folder for the file")
        what.add_argument(
            "--cancel", action="store_true", help="cancel an interrupted run; the tenant is then suspended"
        )
        parser.add_argument(
            "--wait", type=float, default=10, help="seconds that open transactions may take to end (10)"
        )

    def handle(self, *, slug: str, to: Path | None, wait: float, **options: Any) -> None:
        with command_errors(slug):
            if to is None:
                self.stdout.write(f"{slug}: {cancel(slug).status}")
            else:
                archived = archive(slug, to, timeout=wait)
                self.stdout.write(f"{slug}: archived in {archived.path}, SHA-256 {archived.sha256}")
