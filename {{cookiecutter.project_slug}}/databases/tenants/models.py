"""The base class of models whose rows live in the tenants' databases, and querysets that belong to one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections, models
from django.db.models.query import RawQuerySet

from databases.tenants.context import CrossTenantError, alias_of, current_tenant, tenant_or_none
from databases.tenants.registry import Tenant

__all__ = ["Tenant", "TenantManager", "TenantModel", "TenantQuerySet"]


class TenantBound:
    """Refuses to evaluate a queryset under another tenant than the one it was built under.

    Django chooses the database when a queryset is evaluated, so the queryset would silently return the other tenant's
    rows. A queryset that names its database with `using()` is not checked.
    """

    _db: str | None
    _tenant: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Set first: a raw queryset reads its database in __init__.
        self._tenant = tenant_or_none()
        super().__init__(*args, **kwargs)

    @property
    def db(self) -> str:
        if self._db is None:
            self._refuse_other_tenant()
            if self._tenant != tenant_or_none():
                raise CrossTenantError(
                    "A queryset built outside of any tenant would cache the rows of one tenant for the next: "
                    "evaluate a copy, made inside the tenant with all()."
                )
        return str(super().db)  # type: ignore[misc]

    def _refuse_other_tenant(self) -> None:
        if self._tenant not in (None, tenant_or_none()):
            raise CrossTenantError(
                f"A queryset built under the tenant {self._tenant!r} was evaluated under {tenant_or_none()!r}: "
                "evaluate it before you leave its tenant, for example with list()."
            )


def check_instance(hints: dict[str, Any]) -> None:
    """Raise `CrossTenantError` if a query starts from an object of another tenant than the current one.

    Argument: the hints that Django gives to routers. `instance` is the object that is saved, refreshed or followed.
    """
    instance = hints.get("instance")
    if not isinstance(instance, TenantModel) or instance._state.db is None:
        return
    alias = alias_of(current_tenant())
    if instance._state.db != alias:
        raise CrossTenantError(
            f"{instance._meta.label} {instance.pk} belongs to {instance._state.db!r} and was used under {alias!r}: "
            "use it inside `with use_tenant()` of its tenant."
        )


class TenantRawQuerySet(TenantBound, RawQuerySet):
    """What `raw()` returns."""


class TenantQuerySet(TenantBound, models.QuerySet[Any]):
    """The queryset of a `TenantModel`. Your own querysets derive from it."""

    def _clone(self) -> TenantQuerySet:
        clone: TenantQuerySet = super()._clone()  # type: ignore[misc]
        clone._tenant = self._tenant or tenant_or_none()
        return clone

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        # Django evaluates a subquery with its outer query, and does not read the database of the subquery.
        self._refuse_other_tenant()
        return super().resolve_expression(*args, **kwargs)

    resolve_expression.queryset_only = True  # type: ignore[attr-defined]

    async def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[Any]:
        # Django reads the connection in the event loop, where the registry cannot be queried for a new tenant.
        await sync_to_async(lambda: connections[self.db])()
        async for each in super().aiterator(chunk_size):
            yield each

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        return super().bulk_create(self._own(objs), *args, **kwargs)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        return super().bulk_update(self._own(objs), *args, **kwargs)

    def _own(self, objs: Iterable[Any]) -> list[Any]:
        # Django writes these rows by their keys, and gives routers no object to check.
        objs = list(objs)
        for each in objs if self._db is None else []:
            check_instance({"instance": each})
        return objs

    def raw(self, raw_query: Any, params: Any = (), translations: Any = None, using: Any = None) -> Any:
        using = using or self._db
        return TenantRawQuerySet(raw_query, self.model, params=params, translations=translations, using=using)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The manager of a `TenantModel`. Your own managers derive from it, or are made from a `TenantQuerySet`."""


class TenantModel(models.Model):
    """A model whose table is in every tenant's database. Queries go to the current tenant's."""

    database_role = "tenant"

    objects = TenantManager()

    class Meta:
        abstract = True

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # Django gives routers the object, except when a queryset is passed.
        if using is None:
            check_instance({"instance": self})
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
