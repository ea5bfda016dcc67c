"""`manage.py suspend_tenant acme`: its pages answer 503 until `resume_tenant`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import told_by_command
from databases.tenants.states import suspend


class Command(BaseCommand):
    help = "Let a tenant's pages answer 503 with Retry-After. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")

    def handle(self, *, slug: str, **options: Any) -> None:
        with told_by_command(slug):
            self.stdout.write(f"{slug}: {suspend(slug).status}")
