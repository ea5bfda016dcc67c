"""`manage.py suspend_tenant acme`: its pages answer 503 until `resume_tenant`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import command_errors
from databases.tenants.transitions import suspend


class Command(BaseCommand):
    help = "Make a tenant's pages answer 503 with Retry-After. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")

    def handle(self, *, slug: str, **options: Any) -> None:
        with command_errors(slug):
            self.stdout.write(f"{slug}: {suspend(slug).status}")
