"""`manage.py rotate_tenant_keys`: encrypts stored passwords with the newest of `TENANT_PASSWORD_KEYS`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from databases.tenants.credentials import renew_keys
from databases.tenants.fleet import choose, for_each


class Command(BaseCommand):
    help = (
        "Encrypt every stored password with the first of TENANT_PASSWORD_KEYS; the others may leave it then. Safe to "
        "run again."
    )

    def handle(self, **options: Any) -> None:
        tenants = choose([])
        failed = for_each(tenants, renew_keys, self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(tenants)} tenants failed: {', '.join(failed)}")
