"""`manage.py create_tenant acme --server eu`: on that server, or on the one with the fewest tenants for its room."""

from typing import Any

from django.core.management.base import CommandParser

from databases.fleet.placement import create_placed_tenant
from databases.tenants.management.commands import create_tenant
from databases.tenants.registry import Tenant


class Command(create_tenant.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--server", default="", help="name of its server (the one with the fewest for its room)")

    def create(self, slug: str, options: dict[str, Any]) -> Tenant:
        return create_placed_tenant(slug, server=options["server"], database=options["database"])
