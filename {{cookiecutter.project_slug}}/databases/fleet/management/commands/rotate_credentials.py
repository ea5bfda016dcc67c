"""`manage.py rotate_credentials acme`: see `databases.fleet.credentials`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.fleet.credentials import rotate_all
from databases.tenants.commands import command_errors


class Command(BaseCommand):
    help = "Give tenants new users and passwords on their servers. No request is refused meanwhile. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", help="the tenants")

    def handle(self, *, slugs: list[str], **options: Any) -> None:
        with command_errors(", ".join(slugs)):
            failed = rotate_all(slugs, self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(slugs)} tenants failed: {', '.join(failed)}")
