"""`manage.py create_tenant acme --server eu`: on the server with the fewest tenants, unless one is named."""

from typing import Any

from django.core.management.base import CommandParser

from databases.fleet.placement import create_placed_tenant
from databases.tenants.management.commands import create_tenant
from databases.tenants.registry import Tenant


class Command(create_tenant.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--server", default="", help="name of its server (the one with the fewest tenants)")

    def create(self, slug: str, options: dict[str, Any]) -> Tenant:
        return create_placed_tenant(slug, server=options["server"], database=options["database"])
