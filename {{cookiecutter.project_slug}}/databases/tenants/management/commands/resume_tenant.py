"""`manage.py resume_tenant acme`: opens the pages of a suspended tenant."""

from typing import Any

from databases.tenants.commands import TenantCommand
from databases.tenants.transitions import resume


class Command(TenantCommand):
    help = "Open the pages of a suspended tenant. Safe to run again."

    def run(self, slug: str, **options: Any) -> str:
        return resume(slug).status
