"""The cache of tenants on a real Redis server: who clears what."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import environments, redis
from tests.support.databases import NotInstalledError

#: Fills the cache of each owner, clears it as one of them, and prints how many entries each still has. One tenant has
#: more entries than are deleted at a time, and the slug of another begins like its own.
SCRIPT = """
import contextlib, json, os, django
django.setup()
from django.core.management import call_command
from databases.tenants import use_tenant
from databases.tenants.cache import BATCH, RedisCache
from databases.tenants.models import Tenant

call_command("migrate", verbosity=0)
cache = RedisCache(os.environ["REDIS"], {"KEY_PREFIX": "site"})
OWNERS = {"acme": 2 * BATCH + 10, "acme-2": 3, "horza": 3, "": 3}

for slug in filter(None, OWNERS):
    Tenant.objects.create(slug=slug, database=slug)

def owner(slug):
    return use_tenant(slug) if slug else contextlib.nullcontext()

def counts():
    found = {}
    for slug, number in OWNERS.items():
        with owner(slug):
            entries = cache.get_many([f"acme:{index}" for index in range(number)])
            assert set(entries.values()) <= {slug}, entries
            found[slug] = len(entries)
    return found

seen = []
for clearing in ("acme", "horza", ""):
    for slug, number in OWNERS.items():
        with owner(slug):
            cache.set_many({f"acme:{index}": slug for index in range(number)})
    with owner(clearing):
        cache.clear()
    seen.append(counts())
print(json.dumps(seen))
"""


def test_a_tenant_clears_its_own_entries_only(bake: Baker, tmp_path: Path) -> None:
    project = bake(primary_database="sqlite", secondary_database="none", tenant_databases="managed")
    wanted = [*environments.requirements([project.read("pyproject.toml")]), "redis>=5"]
    tools = environments.make("redis", sys.executable, wanted)
    try:
        with redis.running(tmp_path) as url:
            env = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "REDIS": url}
            output = project.run(tools, "python", "-c", SCRIPT, env=env)
    except NotInstalledError as error:
        pytest.skip(str(error))
    assert json.loads(output.splitlines()[-1]) == [
        {"acme": 0, "acme-2": 3, "horza": 3, "": 3},
        {"acme": 2010, "acme-2": 3, "horza": 0, "": 3},
        {"acme": 0, "acme-2": 0, "horza": 0, "": 0},
    ]
