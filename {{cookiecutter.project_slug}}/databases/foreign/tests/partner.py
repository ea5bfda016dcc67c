"""A foreign role for the tests of this package, which must not depend on the mirror or on external tenants."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from databases.foreign.mode import is_test_database
from databases.registry import roles_of

PARTNER = "partner"


class PartnerRouter:
    """Sends the apps of the role to the database `partner`, which is migrated in test mode only."""

    role = PARTNER
    foreign = True

    def serves(self, alias: str) -> bool:
        return alias == PARTNER

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return PARTNER if PARTNER in roles_of(model._meta.app_label) else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        ours = PARTNER in roles_of(app_label)
        if self.serves(db):
            return ours and is_test_database(db)
        return False if ours and db == DEFAULT_DB_ALIAS else None
