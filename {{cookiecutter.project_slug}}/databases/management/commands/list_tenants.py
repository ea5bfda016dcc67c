"""`manage.py list_tenants`: one line per tenant."""

from typing import Any

from django.core.management.base import BaseCommand

from databases.models import Tenant


class Command(BaseCommand):
    help = "List the tenants: slug, status, server and database, separated by tabs."

    def handle(self, **options: Any) -> None:
        for tenant in Tenant.objects.iterator():
            self.stdout.write("\t".join([tenant.slug, tenant.status, tenant.server, tenant.database]))
