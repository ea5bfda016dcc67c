"""`manage.py archive_tenant acme --to /srv/archives`: into a file, which is tried before the database is dropped."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants.archive import archive, cancel
from databases.tenants.errors import told_by_command


class Command(BaseCommand):
    help = (
        "Write a tenant's database into a file, try the file in a scratch database, and drop the database if both hold "
        "the same. Safe to run again: it carries on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--to", type=Path, help="the folder for the file")
        parser.add_argument("--cancel", action="store_true", help="give up an archiving that was interrupted")
        parser.add_argument("--wait", type=float, default=10, help="seconds that open transactions may go on (10)")

    def handle(self, *, slug: str, to: Path | None, cancel: bool, wait: float, **options: Any) -> None:
        if cancel == bool(to):
            raise CommandError("Give either --to and the folder for the file, or --cancel.")
        with told_by_command(slug):
            self.stdout.write(f"{slug}: {self.cancel(slug) if to is None else self.archive(slug, to, wait)}")

    def archive(self, slug: str, folder: Path, patience: float) -> str:
        """Return what was made, in words."""
        copy = archive(slug, folder, patience=patience)
        return f"archived in {copy.path}, SHA-256 {copy.sha256}"

    def cancel(self, slug: str) -> str:
        """Return the tenant's status."""
        return cancel(slug).status
