"""The base class of models whose rows live in the tenants' databases."""

from __future__ import annotations

from typing import Any

from django.db import models

from databases.tenants.queries import TenantManager, TenantQuerySet, check_instance
from databases.tenants.registry import Tenant
from databases.tenants.sites import Domain, Membership

__all__ = ["Domain", "Membership", "Tenant", "TenantManager", "TenantModel", "TenantQuerySet"]


class TenantModel(models.Model):
    """A model whose table is in every tenant's database. Queries go to the current tenant's."""

    database_role = "tenant"

    objects = TenantManager()

    class Meta:
        abstract = True

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # Django gives routers the object, except when a queryset is passed.
        if using is None and from_queryset is not None:
            check_instance(self, from_queryset.db)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
