"""Caches whose keys begin with their tenant, and whose `clear()` deletes the entries of the current tenant."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.core.cache.backends import db, locmem, redis
from django.core.cache.backends.base import BaseCache
from django.db import connections, router

from databases.tenants.context import slug_or_none

BATCH = 1000


class TenantCache(BaseCache):
    """Makes the cache behind it keep entries apart: `class OwnCache(TenantCache, SomeCache)`.

    Without a tenant, `clear()` deletes all entries. Under a tenant it raises `NotImplementedError`, unless the class
    has `clear_keys`.
    """

    def make_key(self, key: Any, version: int | None = None) -> str:
        # A slug has no colon, so keys of two tenants are never equal. Keys of the central site begin with one.
        return f"{slug_or_none() or ''}:{super().make_key(key, version)}"

    def clear(self) -> None:
        tenant = slug_or_none()
        if tenant is None:
            super().clear()
        else:
            self.clear_keys(f"{tenant}:")

    def clear_keys(self, prefix: str) -> None:
        """Delete all entries whose full keys begin with `prefix`: a slug and a colon."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot clear the entries of one tenant: delete them by their keys, or define "
            "clear_keys(prefix) as databases.tenants.cache does for other caches."
        )


# Django has no public way to find keys by their beginning, so these classes use what Django's own clear() uses.


class LocMemCache(TenantCache, locmem.LocMemCache):
    def clear_keys(self, prefix: str) -> None:
        cache: Any = self
        with cache._lock:
            for key in [key for key in cache._cache if key.startswith(prefix)]:
                cache._delete(key)


class DatabaseCache(TenantCache, db.DatabaseCache):
    def clear_keys(self, prefix: str) -> None:
        connection = connections[router.db_for_write(self.cache_model_class)]
        table, column = map(connection.ops.quote_name, (self.cache_model_class._meta.db_table, "cache_key"))
        with connection.cursor() as cursor:
            # Names of tables cannot be parameters; this one is quoted, and comes from the settings.
            cursor.execute(f"DELETE FROM {table} WHERE {column} LIKE %s", [f"{prefix}%"])  # noqa: S608


class RedisCache(TenantCache, redis.RedisCache):
    def clear_keys(self, prefix: str) -> None:
        client = self._cache.get_client(write=True)
        keys = client.scan_iter(match=f"{prefix}*", count=BATCH)
        while batch := list(islice(keys, BATCH)):
            client.delete(*batch)
