"""`manage.py create_tenant acme`: see `databases.tenants.lifecycle`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import told_by_command
from databases.tenants.lifecycle import create_tenant


class Command(BaseCommand):
    help = "Register a tenant and make its database ready. Safe to run again: it carries on where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="lower case letters, digits and hyphens: its host name and its alias")
        parser.add_argument("--server", default="", help="name of its server, as in TENANT_SERVERS (the emptiest)")
        parser.add_argument("--database", default="", help="name of its database there (tenant_<slug> if not given)")

    def handle(self, *, slug: str, server: str, database: str, **options: Any) -> None:
        with told_by_command(slug):
            tenant = create_tenant(slug, server=server, database=database)
        self.stdout.write(f"{tenant.slug}: {tenant.status}, in the database {tenant.database} on {tenant.server}")
