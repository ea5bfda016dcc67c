"""`manage.py rename_tenant acme umbrella`: changes the host of a tenant to umbrella.SITE_DOMAIN."""

from typing import Any

from django.core.management.base import CommandParser

from databases.tenants.commands import TenantCommand
from databases.tenants.lifecycle import rename_tenant


class Command(TenantCommand):
    help = "Give a tenant another host; its slug, alias and database stay. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("host", help="the name before SITE_DOMAIN: lower case letters, digits and hyphens")

    def run(self, slug: str, *, host: str, **options: Any) -> str:
        return f"its host is {rename_tenant(slug, host).host}"
