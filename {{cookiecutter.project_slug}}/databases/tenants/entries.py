"""`DATABASES` with the tenants of the registry in it, though no setting lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from databases.tenants.context import ALIAS_PREFIX, UnknownTenantError, tenant_or_none
from databases.tenants.leases import opened

if TYPE_CHECKING:
    from databases.tenants.registry import TenantInfo


class TenantDatabases(dict[str, dict[str, Any]]):
    """A dict that makes the entry of `tenant_<slug>` when Django asks for it. Entries that settings list come first.

    Iterating yields the listed aliases, and the tenants that this thread has connections to: so Django's
    `connections.all()` finds them, and others cost nothing. `items()`, `values()` and `len()` see the listed ones.
    """

    def __contains__(self, alias: object) -> bool:
        return super().__contains__(alias) or self._find(alias) is not None

    def __missing__(self, alias: str) -> dict[str, Any]:
        found = self._find(alias)
        if found is None:
            raise KeyError(alias)
        return found.entry

    def __iter__(self) -> Iterator[str]:
        return iter([*super().__iter__(), *opened.aliases()])

    def _find(self, alias: object) -> TenantInfo | None:
        if not isinstance(alias, str) or not alias.startswith(ALIAS_PREFIX):
            return None
        # Settings import this module, before apps can be loaded.
        from databases.tenants.registry_cache import cache

        current = tenant_or_none()
        if current is not None and current.alias == alias:
            # It was found in the registry before. An event loop must not wait for it again.
            return current
        try:
            return cache.by_slug(alias.removeprefix(ALIAS_PREFIX))
        except UnknownTenantError:
            return None
