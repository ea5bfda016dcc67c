"""`manage.py resume_tenant acme`: opens the pages of a suspended tenant."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import command_errors
from databases.tenants.transitions import resume


class Command(BaseCommand):
    help = "Open the pages of a suspended tenant. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")

    def handle(self, *, slug: str, **options: Any) -> None:
        with command_errors(slug):
            self.stdout.write(f"{slug}: {resume(slug).status}")
