"""`manage.py purge_pending_tenant acme`: removes a tenant that was never opened."""

from typing import Any

from databases.tenants.commands import TenantCommand
from databases.tenants.lifecycle import purge_pending_tenant


class Command(TenantCommand):
    help = "Drop the half-made database of a pending tenant, if it has one, and delete the tenant from the registry."

    def run(self, slug: str, **options: Any) -> str:
        purge_pending_tenant(slug)
        return "removed"
