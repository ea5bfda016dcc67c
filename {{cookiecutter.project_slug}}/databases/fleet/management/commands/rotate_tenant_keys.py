"""`manage.py rotate_tenant_keys`: also encrypts the passwords of ready databases, which new tenants will have."""

from typing import Any

from databases.fleet.ready import renew_keys
from databases.tenants.commands import command_errors
from databases.tenants.management.commands import rotate_tenant_keys


class Command(rotate_tenant_keys.Command):
    def handle(self, **options: Any) -> None:
        with command_errors("ready databases"):
            renew_keys()
        super().handle(**options)
