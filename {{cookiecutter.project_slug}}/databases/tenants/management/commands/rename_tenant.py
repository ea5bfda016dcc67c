"""`manage.py rename_tenant acme umbrella`: changes the host of a tenant to umbrella.SITE_DOMAIN."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import command_errors
from databases.tenants.lifecycle import rename_tenant


class Command(BaseCommand):
    help = "Give a tenant another host; its slug, alias and database stay. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("host", help="the name before SITE_DOMAIN: lower case letters, digits and hyphens")

    def handle(self, *, slug: str, host: str, **options: Any) -> None:
        with command_errors(slug):
            self.stdout.write(f"{slug}: its host is {rename_tenant(slug, host).host}")
