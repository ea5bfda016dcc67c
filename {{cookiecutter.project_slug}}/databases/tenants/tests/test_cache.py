"""Cache entries of one tenant cannot be read, overwritten or cleared under another one."""

import contextlib
from collections.abc import Iterator

from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings

from databases.tenants import settings as tenant_settings
from databases.tenants import use_tenant
from databases.tenants.cache import TenantCache
from databases.tenants.tests.two_tenants import FIRST, SECOND

TABLE = "layer_cache"
OWNERS = (FIRST, SECOND, None)


class OwnCache(TenantCache, DummyCache):
    """A cache without `clear_keys`."""


@override_settings(
    CACHES={
        **tenant_settings.CACHES,
        "table": {"BACKEND": "databases.tenants.cache.DatabaseCache", "LOCATION": TABLE, "KEY_PREFIX": "site"},
        "own": {"BACKEND": f"{__name__}.OwnCache"},
    }
)
class CacheTests(TransactionTestCase):
    def setUp(self):
        call_command("createcachetable", TABLE, verbosity=0)
        self.addCleanup(self.drop)
        self.addCleanup(caches["default"].clear)

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {TABLE}")

    def each_cache(self) -> Iterator[BaseCache]:
        """Yield caches of two kinds that have an entry of each owner."""
        for alias in ("default", "table"):
            for owner in OWNERS:
                with as_owner(owner):
                    caches[alias].set("name", owner or "central")
                    caches[alias].set("number", 1, version=2)
            with self.subTest(alias):
                yield caches[alias]

    def owners_in(self, cache: BaseCache) -> list[str | None]:
        """Return who has entries in the cache."""
        found = []
        for owner in OWNERS:
            with as_owner(owner):
                if cache.get_many(["name"]) == {"name": owner or "central"} and cache.get("number", version=2) == 1:
                    found.append(owner)
                else:
                    self.assertIsNone(cache.get("name"))
        return found

    def test_each_owner_has_its_own_entries(self):
        for cache in self.each_cache():
            self.assertEqual(self.owners_in(cache), list(OWNERS))
            with use_tenant(FIRST):
                cache.delete_many(["name"])
                cache.incr("number", version=2)
            self.assertEqual(self.owners_in(cache), [SECOND, None])

    def test_a_tenant_clears_its_own_entries_only(self):
        for cache in self.each_cache():
            with use_tenant(FIRST):
                cache.clear()
                self.assertIsNone(cache.get("number", version=2))
            self.assertEqual(self.owners_in(cache), [SECOND, None])

    async def test_async_code_clears_its_tenants_entries_only(self):
        cache = caches["default"]
        for slug in (FIRST, SECOND):
            with use_tenant(slug):
                await cache.aset("name", slug)
        with use_tenant(FIRST):
            await cache.aclear()
            self.assertIsNone(await cache.aget("name"))
        with use_tenant(SECOND):
            self.assertEqual(await cache.aget("name"), SECOND)

    def test_the_central_site_clears_everything(self):
        for cache in self.each_cache():
            cache.clear()
            self.assertEqual(self.owners_in(cache), [])

    def test_no_key_collides_with_another_owners(self):
        for cache in self.each_cache():
            with use_tenant(FIRST):
                full_key = cache.make_key("name")
            for key in (full_key, f"{FIRST}:name", f"{FIRST}::1:name", f":{FIRST}::1:name"):
                self.assertIsNone(cache.get(key))

    def test_a_cache_that_cannot_find_a_tenants_entries_refuses_to_clear_them(self):
        caches["own"].clear()
        with (
            use_tenant(FIRST),
            self.assertRaisesMessage(NotImplementedError, "OwnCache cannot clear the entries of one"),
        ):
            caches["own"].clear()


def as_owner(owner: str | None) -> contextlib.AbstractContextManager[object]:
    return use_tenant(owner) if owner else contextlib.nullcontext()
