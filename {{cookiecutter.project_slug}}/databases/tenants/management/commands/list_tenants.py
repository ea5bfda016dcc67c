"""`manage.py list_tenants`: one line per tenant, or JSON."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.registry import Tenant
from databases.tenants.states import STATES

#: Without user and password: people who run this need not know them.
FIELDS = ("slug", "status", "server", "database", "host")


class Command(BaseCommand):
    help = "List the tenants: slug, status, server, database and host, separated by tabs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write a JSON list")
        parser.add_argument("--status", choices=list(STATES), help="list only tenants with this status")

    def handle(self, **options: Any) -> None:
        rows = self.rows(**options)
        if options["json"]:
            self.stdout.write(json.dumps(list(rows), indent=2))
            return
        for row in rows:
            self.stdout.write("\t".join(row[field] for field in FIELDS))

    def rows(self, *, status: str | None = None, **options: Any) -> Iterator[dict[str, Any]]:
        """Yield what is listed of each tenant."""
        tenants = Tenant.objects.filter(status=status) if status else Tenant.objects.all()
        yield from tenants.values(*FIELDS).iterator()
