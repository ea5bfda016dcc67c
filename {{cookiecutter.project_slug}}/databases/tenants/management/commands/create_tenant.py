"""`manage.py create_tenant acme`: see `databases.tenants.lifecycle`."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.commands import command_errors
from databases.tenants.lifecycle import create_tenant
from databases.tenants.registry import Tenant


class Command(BaseCommand):
    help = "Register a tenant and make its database ready. Safe to run again: it continues where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="lower case letters, digits and hyphens: part of its host name and its alias")
        parser.add_argument("--database", default="", help="name of its database (tenant_<slug> if not given)")
        self.provisioning.add_arguments(parser)

    def handle(self, *, slug: str, **options: Any) -> None:
        self.stderr.write(f"{slug}: making its database ready …", str)
        with command_errors(slug):
            tenant = self.create(slug, options)
        place = f"{tenant.database} on {tenant.server}" if tenant.server else tenant.database
        self.stdout.write(f"{tenant.slug}: {tenant.status}, in the database {place}")

    def create(self, slug: str, options: dict[str, Any]) -> Tenant:
        """Make the tenant. Raises what `create_tenant` raises."""
        return create_tenant(slug, **self.provisioning.place(options))

    @property
    def provisioning(self) -> Any:
        """The module that makes tenants' databases ready."""
        return import_module(settings.TENANT_PROVISIONING)
