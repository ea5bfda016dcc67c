"""`manage.py suspend_tenant acme`: its pages answer 503 until `resume_tenant`."""

from typing import Any

from databases.tenants.commands import TenantCommand
from databases.tenants.transitions import suspend


class Command(TenantCommand):
    help = "Make a tenant's pages answer 503 with Retry-After. Safe to run again."

    def run(self, slug: str, **options: Any) -> str:
        return suspend(slug).status
