"""`manage.py check_tenants`: compares the copied models with the database of each tenant."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from databases.foreign.check_command import CheckCommand, Result
from databases.foreign.source import Source
from databases.migrating import one_line
from databases.tenants.commands import EXPECTED, select_tenants
from databases.tenants.external.source import source_of
from databases.tenants.leases import opened


class Command(CheckCommand):
    help = (
        "Compare the models with the tables of all tenants, or of the named ones. Exits 0 if the models fit, 1 if one "
        "does not, 2 if a database cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="Tenants to check (default: all).")
        super().add_arguments(parser)

    def sources(self, options: dict[str, Any]) -> Iterator[Source]:
        for tenant in select_tenants(options["slugs"]):
            yield source_of(tenant)
            # Else a run over thousands of tenants would open thousands of connections.
            opened.give_back()

    def check_source(self, source: Source, has_contract: bool) -> Result:
        try:
            return super().check_source(source, has_contract)
        except EXPECTED as error:
            return Result(source, [], {}, f"cannot be read: {one_line(error)}")

    def report(self, results: list[Result], as_json: bool) -> None:
        if as_json:
            rows = [{"slug": each.source.name, "error": each.error, **each.data} for each in results]
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for each in results:
            errors = [f"{error.model}: {error.message}." for error in each.errors]
            self.stdout.write(f"{each.source.name}: {each.error or ' '.join([each.summary, *errors])}")
