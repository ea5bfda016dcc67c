"""Queries on tenant models go to the database of the current tenant. Without a tenant they are refused."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from databases.registry import roles_of, roles_of_model
from databases.tenants.context import ALIAS_PREFIX, current_tenant
from databases.tenants.queries import check_instance

TENANT = "tenant"


class TenantRouter:
    """Routes the apps of the role `tenant` to the alias of the current tenant, `tenant_<slug>`.

    There is no fallback: reads and writes raise `NoTenantError` if no tenant is current, and `CrossTenantError` if they
    start from an object of another tenant, rows of automatic many-to-many tables included.
    """

    role = TENANT
    base_class = "databases.tenants.TenantModel"

    def serves(self, alias: str) -> bool:
        return alias.startswith(ALIAS_PREFIX)

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        if not self._owns(model):
            return None
        alias = current_tenant().alias
        check_instance(hints.get("instance"), alias)
        return alias

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
        return ours and hints.get("database") in (None, self.role, db)

    def _owns(self, model: type[Model] | Model) -> bool:
        return TENANT in roles_of_model(model)
