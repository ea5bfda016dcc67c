"""Rows of tenant models go to the database of the current tenant; without a tenant they go nowhere."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from ..external import roles_of
# % if cookiecutter.__external_tenants
from ..testing.mode import is_test_database
# % endif
from .context import ALIAS_PREFIX, alias_of, current_tenant
from .models import check_instance

TENANT = "tenant"


class TenantRouter:
    """Answers for the aliases `tenant_<slug>`.

    There is no fall-back: `NoTenantError` where no tenant is current, for reads and writes alike, and
    `CrossTenantError` where a query starts from another tenant's object.
    """

    role = TENANT
    # % if cookiecutter.__external_tenants
    #: Its schema belongs to someone else: tables are made in tests only. Rows are read and written.
    foreign = True
    # % endif

    def serves(self, alias: str) -> bool:
        return alias.startswith(ALIAS_PREFIX)

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        if not self._owns(model):
            return None
        check_instance(hints)
        return alias_of(current_tenant())

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        owned = [self._owns(obj1), self._owns(obj2)]
        if not any(owned):
            return None
        databases = {obj1._state.db, obj2._state.db} - {None}
        return all(owned) and len(databases) < 2

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        ours = TENANT in roles_of(app_label)
        if not self.serves(db):
            return False if ours and db == DEFAULT_DB_ALIAS else None
        # % if cookiecutter.__external_tenants
        if not is_test_database(db):
            return False
        # % endif
        return ours and hints.get("database") in (None, self.role, db)

    def _owns(self, model: type[Model] | Model) -> bool:
        return TENANT in roles_of(model._meta.app_label)
