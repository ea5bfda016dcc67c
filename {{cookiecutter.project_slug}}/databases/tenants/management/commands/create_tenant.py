"""`manage.py create_tenant acme`: see `databases.tenants.lifecycle`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import command_errors
from databases.tenants.lifecycle import create_tenant
from databases.tenants.registry import Tenant


class Command(BaseCommand):
    help = "Register a tenant and make its database ready. Safe to run again: it continues where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="lower case letters, digits and hyphens: part of its host name and its alias")
        parser.add_argument("--database", default="", help="name of its database (tenant_<slug> if not given)")

    def handle(self, *, slug: str, **options: Any) -> None:
        with command_errors(slug):
            tenant = self.create(slug, options)
        self.stdout.write(f"{tenant.slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")

    def create(self, slug: str, options: dict[str, Any]) -> Tenant:
        """Make the tenant. Raises what `create_tenant` raises."""
        return create_tenant(slug, database=options["database"])
