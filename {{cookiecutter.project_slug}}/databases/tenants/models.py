"""The base of every model whose rows live in the tenants' databases, and its querysets, which stay with one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections, models
from django.db.models.query import RawQuerySet

from .context import CrossTenantError, alias_of, current_tenant, tenant_or_none


class OfOneTenant:
    """Refuses to evaluate a queryset under another tenant than the one it was built under.

    Django chooses the database when a queryset is evaluated, so it would silently answer from the other one. A queryset
    that names its database, with `using()`, is not held up.
    """

    _db: str | None
    _tenant: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # First: a raw queryset asks for its database while it is made.
        self._tenant = tenant_or_none()
        super().__init__(*args, **kwargs)

    @property
    def db(self) -> str:
        if self._db is None:
            self._refuse_other_tenant()
            if self._tenant != tenant_or_none():
                raise CrossTenantError(
                    "A queryset built outside of any tenant would keep the rows of the first one that evaluates it: "
                    "evaluate a copy, made inside the tenant with all()."
                )
        return str(super().db)  # type: ignore[misc]

    def _refuse_other_tenant(self) -> None:
        if self._tenant not in (None, tenant_or_none()):
            raise CrossTenantError(
                f"A queryset built under the tenant {self._tenant!r} was evaluated under {tenant_or_none()!r}: "
                "evaluate it, with list() for instance, before you leave its tenant."
            )


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

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        # A queryset inside another one's filter() is evaluated with that one, and is not asked for its database.
        self._refuse_other_tenant()
        return super().resolve_expression(*args, **kwargs)

    resolve_expression.queryset_only = True  # type: ignore[attr-defined]

    async def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[Any]:
        # Django looks the connection up in the event loop, where nobody can ask the registry for a tenant not met yet.
        await sync_to_async(lambda: connections[self.db])()
        async for each in super().aiterator(chunk_size):
            yield each

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        return super().bulk_create(self._own(objs), *args, **kwargs)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        return super().bulk_update(self._own(objs), *args, **kwargs)

    def _own(self, objs: Iterable[Any]) -> list[Any]:
        # Django writes these by their keys and asks no router about the objects.
        objs = list(objs)
        for each in objs if self._db is None else []:
            check_instance({"instance": each})
        return objs

    def raw(self, raw_query: Any, params: Any = (), translations: Any = None, using: Any = None) -> Any:
        using = using or self._db
        return TenantRawQuerySet(raw_query, self.model, params=params, translations=translations, using=using)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The manager of a `TenantModel`. Your own managers derive from it, or are made of a `TenantQuerySet`."""


class TenantModel(models.Model):
    """A model whose rows live in the database of the current tenant, once in each."""

    database_role = "tenant"

    objects = TenantManager()

    class Meta:
        abstract = True

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # Django tells routers which object it is for, but not where it is given a queryset.
        if using is None:
            check_instance({"instance": self})
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
