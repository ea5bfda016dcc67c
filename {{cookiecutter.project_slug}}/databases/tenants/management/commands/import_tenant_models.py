"""`manage.py import_tenant_models acme`: writes the tables of a tenant as abstract models, and classes for you."""

from typing import Any

from django.core.management.base import CommandParser

from databases.foreign.import_command import ImportCommand
from databases.foreign.source import Source
from databases.tenants.commands import command_errors
from databases.tenants.external.source import source_of
from databases.tenants.registry import find


class Command(ImportCommand):
    help = "Copy tables of a tenant's database as models for all tenants, or bring all copies up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The tenant whose database is read.")
        super().add_arguments(parser)

    def source(self, options: dict[str, Any]) -> Source:
        return source_of(find(options["slug"]))

    def handle(self, **options: Any) -> None:
        with command_errors(options["slug"]):
            super().handle(**options)
