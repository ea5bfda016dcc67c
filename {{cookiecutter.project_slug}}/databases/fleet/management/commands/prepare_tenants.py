"""`manage.py prepare_tenants 20`: prepares databases for new tenants on each server."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases.fleet import prepared
from databases.tenants.errors import one_line


class Command(BaseCommand):
    help = "Prepare databases for new tenants, so that `create_tenant` only renames one. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="how many prepared databases each server should have")

    def handle(self, *, number: int, **options: Any) -> None:
        failed = []
        for server in settings.TENANT_SERVERS:
            try:
                made = prepared.fill(server, number)
                self.stdout.write(f"{server}: {made} made, {len(prepared.names(server))} ready")
            except (DatabaseError, OSError) as error:
                failed.append(server)
                self.stdout.write(f"{server}: failed: {one_line(error)}")
        if failed:
            raise CommandError(f"{len(failed)} of {len(settings.TENANT_SERVERS)} servers failed: {', '.join(failed)}")
