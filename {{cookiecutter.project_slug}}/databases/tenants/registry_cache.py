"""The process's cache of registry rows: it saves a query per request, and keeps tenants served in an outage.

A row is read again after `TENANT_CACHE_SECONDS`, together with other rows that are as old. A thread of the cache reads
it, with a connection of its own: requests wait for up to `TENANT_REGISTRY_SECONDS`, then they use the row that the
process knows. So a registry that hangs hangs nothing else, and an open transaction reads no old rows.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Q
from django.db.models.signals import post_delete, post_save

from databases.tenants.context import ALIAS_PREFIX, UnknownTenantError
from databases.tenants.questions import Questions
from databases.tenants.registry import COLUMNS, Key, Tenant, TenantInfo
from databases.tenants.sites import Domain
from databases.tenants.states import Status

#: The number of recently used keys that one query reads again. Without this, nearly every request would send a query.
TOGETHER = 512
#: Of tenants that are not in the registry.
NO_UID = UUID(int=0)
LONG_AGO = float("-inf")


class _Known(NamedTuple):
    tenant: TenantInfo
    read_at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.read_at < settings.TENANT_CACHE_SECONDS


class RegistryCache:
    """What this process knows of the registry. Any thread may call its methods."""

    def __init__(self) -> None:
        self._questions = Questions(self._read)
        self.start()

    def start(self) -> None:
        """Begin without rows."""
        self._questions.start()
        self._lock = threading.Lock()
        #: The least recently used first.
        self._known: OrderedDict[Key, _Known] = OrderedDict()
        self._changes = 0

    def by_slug(self, slug: str) -> TenantInfo:
        """Return the tenant with a slug, in any status. Raises `UnknownTenantError` and `RegistryDownError`.

        A tenant whose alias the settings list, as for tests, needs no row in the registry.
        """
        return listed(slug) or self._get(("slug", slug))

    def by_host(self, host: str) -> TenantInfo:
        """Return the tenant with a host, the name before `SITE_DOMAIN`. Raises what `by_slug` raises."""
        return self._get(("host", host))

    def by_domain(self, name: str) -> TenantInfo:
        """Return the tenant with a verified domain of its own. Raises what `by_slug` raises."""
        return self._get(("domain", name))

    def forget(self, slug: str) -> None:
        """Have a tenant read again. Other processes do so after `TENANT_CACHE_SECONDS`."""
        self._questions.forget()
        with self._lock:
            self._changes += 1
            for key, known in self._known.items():
                if known.tenant.slug == slug:
                    # Kept for an outage.
                    self._known[key] = known._replace(read_at=LONG_AGO)

    def _get(self, key: Key) -> TenantInfo:
        # The lock, because another thread may be reading the order.
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.is_fresh:
                self._known.move_to_end(key)
                return known.tenant
        error = self._questions.ask(key)
        known = self._known.get(key)
        if known is not None:
            return known.tenant
        raise error or UnknownTenantError(f"There is no tenant with the {key[0]} {key[1]!r}: see `list_tenants`.")

    def _read(self, keys: list[Key]) -> None:
        """Read keys, and recently used ones that are as old, and store what was found. Raises database errors."""
        with self._lock:
            recent = [each for each in islice(reversed(self._known), TOGETHER) if not self._known[each].is_fresh]
            changes, read_at = self._changes, time.monotonic()
        # In tests no row is fresh.
        wanted = list(dict.fromkeys([*keys, *(recent if settings.TENANT_CACHE_SECONDS else [])]))
        found = read_tenants(wanted)
        with self._lock:
            if changes != self._changes:
                # A row may have been changed after it was read here: it is read again by the next request.
                read_at = LONG_AGO
            for key in wanted:
                if key not in found:
                    self._known.pop(key, None)
            for key, tenant in found.items():
                before = self._known.get(key)
                # An unchanged row stays the same object: what was computed from it is kept.
                same = before is not None and before.tenant == tenant and settings.TENANT_CACHE_SECONDS
                self._known[key] = _Known(before.tenant if before and same else tenant, read_at)


def listed(slug: str) -> TenantInfo | None:
    """Return a tenant whose alias the settings list, or `None`."""
    config = settings.DATABASES.get(f"{ALIAS_PREFIX}{slug}")
    if config is None:
        return None
    return TenantInfo(slug, slug, NO_UID, "default", str(config["NAME"]), Status.ACTIVE)


def read_tenants(keys: Iterable[Key]) -> dict[Key, TenantInfo]:
    """Return the tenants with these keys, each also by its slug and host. Raises Django's database errors."""
    values: dict[str, list[str]] = {"slug": [], "host": [], "domain": []}
    for column, value in keys:
        values[column].append(value)
    which = Q(slug__in=values["slug"]) | Q(host__in=values["host"])
    # Never from a replica, which may still have the tenant's address from before a move.
    rows = Tenant._base_manager.using(DEFAULT_DB_ALIAS).filter(which).values_list(*COLUMNS)
    found = [TenantInfo(*row) for row in rows]
    by_domain: dict[Key, TenantInfo] = {}
    if values["domain"]:
        domains = Domain._base_manager.using(DEFAULT_DB_ALIAS)
        columns = ["name", *(f"tenant__{each}" for each in COLUMNS)]
        for name, *row in domains.filter(name__in=values["domain"], is_verified=True).values_list(*columns):
            by_domain["domain", name] = TenantInfo(*row)
    return {(column, getattr(each, column)): each for each in found for column in ("slug", "host")} | by_domain


cache = RegistryCache()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=cache.start)


def install() -> None:
    """Have tenants read again when this process saves or deletes them."""
    for signal in (post_save, post_delete):
        signal.connect(_forget, sender=Tenant, dispatch_uid="databases.tenants.registry_cache")


def _forget(instance: Tenant, **kwargs: object) -> None:
    cache.forget(instance.slug)
