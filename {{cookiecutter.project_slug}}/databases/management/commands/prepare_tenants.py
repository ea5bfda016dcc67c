"""`manage.py prepare_tenants 20`: has databases ready on each server for tenants to come."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases.tenants import template


class Command(BaseCommand):
    help = "Make the template that new tenants are copied from, and spare copies of it. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="how many spares each server is to have (files need none)")

    def handle(self, *, number: int, **options: Any) -> None:
        for server, config in settings.TENANT_SERVERS.items():
            if not template.can_copy(config):
                self.stdout.write(f"{server}: its engine has no copies of databases")
                continue
            try:
                made = template.fill_spares(server, number)
            except (DatabaseError, OSError) as error:
                raise CommandError(f"{server}: {error}") from error
            self.stdout.write(f"{server}: {made} made, {len(template.spares(server))} ready")
