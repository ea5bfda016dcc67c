"""`manage.py prepare_tenants 20`: makes databases for new tenants on each server."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases.fleet import ready
from databases.migrating import one_line
from databases.tenants.states import TenantError


class Command(BaseCommand):
    help = "Prepare databases for new tenants, so that `create_tenant` only takes one. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="how many ready databases each server should have")

    def handle(self, *, number: int, **options: Any) -> None:
        failed = []
        for server in settings.TENANT_SERVERS:
            self.stderr.write(f"{server}: making databases …", str)
            try:
                made = ready.fill(server, number)
                self.stdout.write(f"{server}: {made} made, {ready.count(server)} ready")
            except (DatabaseError, LookupError, OSError, TenantError) as error:
                failed.append(server)
                self.stdout.write(f"{server}: failed: {one_line(error)}")
        if failed:
            raise CommandError(f"{len(failed)} of {len(settings.TENANT_SERVERS)} servers failed: {', '.join(failed)}")
