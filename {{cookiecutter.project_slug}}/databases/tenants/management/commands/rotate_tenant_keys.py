"""`manage.py rotate_tenant_keys`: encrypts stored passwords with the first of `TENANT_PASSWORD_KEYS`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from databases.tenants.commands import for_each, select_tenants
from databases.tenants.credentials.store import renew_keys


class Command(BaseCommand):
    help = (
        "Encrypt every stored password with the first of TENANT_PASSWORD_KEYS. Afterwards the other keys can be "
        "removed. Safe to run again."
    )

    def handle(self, **options: Any) -> None:
        tenants = select_tenants([])
        failed = for_each(tenants, renew_keys, self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(tenants)} tenants failed: {', '.join(failed)}")
