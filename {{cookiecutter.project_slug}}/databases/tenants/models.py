"""The base of every model whose rows live in the tenants' databases, and its querysets, which stay with one tenant."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.query import RawQuerySet

from .context import CrossTenantError, alias_of, current_tenant, tenant_or_none


class OfOneTenant:
    """Refuses to evaluate a queryset under another tenant than the one it was built under.

    Django chooses the database when a queryset is evaluated, so it would silently answer from the other one.
    """

    _tenant: str | None
    _hints: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tenant = tenant_or_none()

    @property
    def db(self) -> str:
        if self._tenant is not None and self._tenant != tenant_or_none():
            raise CrossTenantError(
                f"A queryset built under the tenant {self._tenant!r} was evaluated under {tenant_or_none()!r}: "
                "evaluate it, with list() for instance, before you leave its tenant."
            )
        check_instance(self._hints)
        return str(super().db)  # type: ignore[misc]


def check_instance(hints: dict[str, Any]) -> None:
    """Raise `CrossTenantError` where a query starts from an object of another tenant than the current one.

    Argument: the hints that Django gives to routers; `instance` is the object that is saved, refreshed or followed.
    """
    instance = hints.get("instance")
    if not isinstance(instance, TenantModel) or instance._state.db is None:
        return
    alias = alias_of(current_tenant())
    if instance._state.db != alias:
        raise CrossTenantError(
            f"{instance._meta.label} {instance.pk} belongs to {instance._state.db!r} and was used under {alias!r}: "
            "work with it inside use_tenant() of its own tenant."
        )


class TenantRawQuerySet(OfOneTenant, RawQuerySet):
    """What `raw()` returns."""


class TenantQuerySet(OfOneTenant, models.QuerySet[Any]):
    """The queryset of a `TenantModel`. Your own querysets derive from it."""

    def _clone(self) -> TenantQuerySet:
        clone: TenantQuerySet = super()._clone()  # type: ignore[misc]
        clone._tenant = self._tenant or tenant_or_none()
        return clone

    def raw(self, raw_query: Any, params: Any = (), translations: Any = None, using: Any = None) -> Any:
        using = using or self._db  # type: ignore[attr-defined]
        return TenantRawQuerySet(raw_query, self.model, params=params, translations=translations, using=using)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The manager of a `TenantModel`. Your own managers derive from it, or are made of a `TenantQuerySet`."""

    use_in_migrations = False


class TenantModel(models.Model):
    """A model whose rows live in the database of the current tenant, once in each."""

    database_role = "tenant"

    objects = TenantManager()

    class Meta:
        abstract = True
        # Related objects, refresh_from_db and deferred fields go through the base manager: it must refuse as well.
        base_manager_name = "objects"
