"""`manage.py verify_archives`: a drill that restores one archive, chosen at random, into a scratch database."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.fleet.archive import verify, verify_one
from databases.tenants.commands import command_errors


class Command(BaseCommand):
    help = "Restore the archive of a random tenant, or of the named ones, into a scratch database, and compare."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants (default: one at random)")

    def handle(self, *, slugs: list[str], **options: Any) -> None:
        self.stderr.write("Restoring into a scratch database …", str)
        with command_errors(", ".join(slugs) or "archives"):
            for found in [verify(slug) for slug in slugs] or [verify_one()]:
                self.stdout.write(f"{found.tenant}: {found.path} holds what it held when it was written")
