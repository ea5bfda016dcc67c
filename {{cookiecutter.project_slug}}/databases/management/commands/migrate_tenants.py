"""`manage.py migrate_tenants`: brings every tenant's database up to date, and tells of each how it went."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants.fleet import choose, for_each
from databases.tenants.provision import make_ready


class Command(BaseCommand):
    help = "Migrate the databases of all tenants, or of those named. Run it again after a failure: it carries on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants to migrate (all if none is named)")

    def handle(self, *, slugs: list[str], **options: Any) -> None:
        try:
            tenants = choose(slugs)
        except LookupError as error:
            raise CommandError(str(error)) from error
        failed = for_each(tenants, lambda tenant: make_ready(tenant.alias), self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(tenants)} tenants failed: {', '.join(failed)}")
