"""The router of tenants whose schema belongs to someone else."""

from typing import Any

from databases.foreign.mode import is_test_database
from databases.tenants.router import TenantRouter


class ExternalTenantRouter(TenantRouter):
    """Like `TenantRouter`, but tables are made in test databases only."""

    foreign = True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if self.serves(db) and not is_test_database(db):
            return False
        return super().allow_migrate(db, app_label, **hints)
