"""Querysets that belong to the tenant they were built under, and refuse to be used under, or with, another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from django.db import connections, models
from django.db.models import sql
from django.db.models.query import RawQuerySet

from databases.tenants.context import ALIAS_PREFIX, CrossTenantError, current_tenant, tenant_or_none


def check_instance(instance: Any, alias: str | None) -> None:
    """Raise `CrossTenantError` if an object was read from the database of another tenant than this alias's."""
    if isinstance(instance, models.Model):
        own = instance._state.db
        if own is not None and own != alias and own.startswith(ALIAS_PREFIX):
            raise CrossTenantError(
                f"{instance._meta.label} {instance.pk} belongs to {own!r} and was used under {alias!r}: use it inside "
                "`with use_tenant()` of its tenant."
            )


class TenantQuery(sql.Query):
    """A query that knows the database it was built for, also as a part of another query."""

    tenant_alias: str | None = None

    def get_compiler(self, using: Any = None, connection: Any = None, elide_empty: bool = True) -> Any:
        # Subqueries and the parts of a union come through here as well.
        self.refuse_others(using or connection.alias)
        return super().get_compiler(using, connection, elide_empty)

    def combine(self, rhs: sql.Query, connector: str) -> None:
        if isinstance(rhs, TenantQuery):
            rhs.refuse_others(self.tenant_alias)
        super().combine(rhs, connector)

    def check_query_object_type(self, value: Any, opts: Any, field: Any) -> None:
        # An object in a filter: here its key means another row. Without a tenant it may become any other's.
        check_instance(value, self.tenant_alias)
        super().check_query_object_type(value, opts, field)

    def refuse_others(self, alias: str | None) -> None:
        """Raise `CrossTenantError` if the query was built for another database than this one."""
        if self.tenant_alias is not None and self.tenant_alias != alias:
            raise CrossTenantError(
                f"A queryset built for {self.tenant_alias!r} was used under {alias!r}: evaluate it before you leave "
                "its tenant, for example with list()."
            )


class TenantRawQuerySet(RawQuerySet):
    """What `raw()` returns."""

    def __init__(self, *args: Any, built_for: TenantQuery | None = None, **options: Any) -> None:
        # Set first: Django reads the database in __init__.
        self.built_for = built_for
        super().__init__(*args, **options)

    def _clone(self) -> Any:
        # Django makes it for prefetch_related().
        clone: Any = super()._clone()  # type: ignore[misc]
        clone.built_for = self.built_for
        return clone

    @property
    def db(self) -> str:
        return self._db or _database(self.built_for or TenantQuery(self.model))  # type: ignore[attr-defined]


class TenantQuerySet(models.QuerySet[Any]):
    """The queryset of a `TenantModel`. Your own querysets derive from it.

    It belongs to the tenant it was built under. One that names its database with `using()` belongs to that database.
    """

    _db: str | None
    _hints: dict[str, Any]
    query: TenantQuery

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        if query is None:
            query = TenantQuery(model)
        super().__init__(model, query, using, hints)
        self._bind()

    @property
    def db(self) -> str:
        if self._db is not None:
            return str(self._db)
        alias = _database(self.query)
        check_instance(self._hints.get("instance"), alias)
        return alias

    def using(self, alias: str | None) -> Any:
        clone: Any = super().using(alias)
        clone._bind()
        return clone

    def _bind(self) -> None:
        query: TenantQuery = self._query  # type: ignore[attr-defined]
        if self._db is not None:
            query.tenant_alias = self._db
        elif query.tenant_alias is None:
            tenant = tenant_or_none()
            query.tenant_alias = None if tenant is None else tenant.alias

    def update(self, **values: Any) -> int:
        for each in values.values():
            check_instance(each, self.db)
        return super().update(**values)

    def contains(self, obj: Any) -> bool:
        check_instance(obj, self.db)
        return super().contains(obj)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> Any:
        return super().bulk_create(self._own(objs), *args, **options)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **options: Any) -> Any:
        return super().bulk_update(self._own(objs), *args, **options)

    def _own(self, objs: Iterable[Any]) -> list[Any]:
        # Django writes these rows by their keys, and gives routers no object to check.
        objs = list(objs)
        if self._db is None:
            for each in objs:
                check_instance(each, self.db)
        return objs

    def raw(self, raw_query: Any, params: Any = (), translations: Any = None, using: Any = None) -> Any:
        return TenantRawQuerySet(
            raw_query,
            self.model,
            params=params,
            translations=translations,
            using=using or self._db,
            built_for=self.query,
        )

    async def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[Any]:
        async for each in super().aiterator(chunk_size):
            yield each
        # Django makes this connection in the event loop only to read its settings, and nothing would remove it.
        if connections[self.db].connection is None:
            del connections[self.db]


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The manager of a `TenantModel`. Your own managers derive from it, or are made from a `TenantQuerySet`."""


def _database(query: TenantQuery) -> str:
    """Return the database of a query that names none. Raises `CrossTenantError` and `NoTenantError`."""
    alias = current_tenant().alias
    query.refuse_others(alias)
    if query.tenant_alias is None:
        raise CrossTenantError(
            "A queryset built outside of any tenant would cache the rows of one tenant for the next: evaluate a copy, "
            "made inside the tenant with all()."
        )
    return alias
