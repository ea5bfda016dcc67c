"""How long a test run with one test on ten tenants takes, minus the same run on one database."""

import re
import statistics
import time
from pathlib import Path

from benchmarks.tenants.arena import OURS, SCHEMAS, STATIC, Arena, Site
from benchmarks.tenants.results import Result, say

TENANTS = 10
ONE = "one database, no tenants"
#: A test that writes to each tenant and reads it back. Each project creates its tenants in its own way.
TESTS = {
    OURS: """
from django.test import TestCase
from databases.tenants import use_tenant
from shop.models import Model1

class Tests(TestCase):
    databases = {"default", *(f"tenant_t-{n}" for n in range(10))}

    def test_each_has_its_own(self):
        for number in range(10):
            with use_tenant(f"t-{number}"):
                Model1.objects.create(name=f"mark-{number}")
                self.assertEqual(Model1.objects.get().name, f"mark-{number}")
""",
    STATIC: """
from django.test import TestCase
from shop.models import Model1

class Tests(TestCase):
    databases = {"default", *(f"t-{n}" for n in range(10))}

    def test_each_has_its_own(self):
        for number in range(10):
            Model1.objects.using(f"t-{number}").create(name=f"mark-{number}")
            self.assertEqual(Model1.objects.using(f"t-{number}").get().name, f"mark-{number}")
""",
    SCHEMAS: """
from django.db import connection
from django.test import TestCase
from customers.models import Tenant
from shop.models import Model1

class Tests(TestCase):
    @classmethod
    def setUpTestData(cls):
        for number in range(10):
            Tenant(schema_name=f"t_{number}", name=f"t-{number}").save(verbosity=0)

    def test_each_has_its_own(self):
        for number in range(10):
            connection.set_schema(f"t_{number}")
            Model1.objects.create(name=f"mark-{number}")
            self.assertEqual(Model1.objects.get().name, f"mark-{number}")
        connection.set_schema_to_public()
""",
    ONE: """
from django.test import TestCase
from shop.models import Model1

class Tests(TestCase):
    def test_it(self):
        Model1.objects.create(name="mark")
        self.assertEqual(Model1.objects.get().name, "mark")
""",
}
ALONE = "DATABASE_ROUTERS = []\n"
SQLITE = """
SERVER = {"ENGINE": "django.db.backends.sqlite3", "TEST": {}}
DATABASES = {alias: {**SERVER, "NAME": f"{PREFIX}-{alias}.sqlite3"} for alias in DATABASES}
"""
#: A test database may be lost in a power failure, and fsync takes most of the time.
QUICK = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
#: By engine: the ways that support it.
WAYS = {
    "PostgreSQL": (OURS, SCHEMAS, STATIC, ONE),
    "PostgreSQL, fsync off": (OURS, SCHEMAS, STATIC, ONE),
    "SQLite": (OURS, STATIC, ONE),
}


def one_test(arena: Arena, rounds: int) -> list[Result]:
    """Measure whole runs of `manage.py test`, minus the median of the runs on one database."""
    # Separate servers: before one drops a database, it writes all databases to the disk.
    servers = {
        "PostgreSQL": Arena(arena.folder / "plain"),
        "PostgreSQL, fsync off": Arena(arena.folder / "quick", QUICK),
    }
    servers["SQLite"] = servers["PostgreSQL"]
    try:
        return _measure(servers, rounds)
    finally:
        for each in servers.values():
            each.stop()


def _measure(servers: dict[str, Arena], rounds: int) -> list[Result]:
    sites = {(engine, way): _site(servers[engine], engine, way) for engine, ways in WAYS.items() for way in ways}
    samples: dict[tuple[str, str], list[float]] = {key: [] for key in sites}
    for turn in range(rounds):
        for (engine, way), (site, env) in sites.items():
            began = time.perf_counter()
            output = site.run("test", "shop", **env)
            samples[engine, way].append(time.perf_counter() - began)
            assert re.search(r"^Ran 1 test in .*\n\nOK$", output, re.MULTILINE), output
            say(f"round {turn + 1}: {engine}, {way}: {samples[engine, way][-1]:.2f} s")
    found = []
    for (engine, way), some in samples.items():
        if way != ONE:
            alone = statistics.median(samples[engine, ONE])
            work = f"{TENANTS} tenants, {engine}, beyond {alone:.2f} s on one database"
            found.append(Result(work, way, "s", [each - alone for each in some], way == OURS))
    return found


def _site(arena: Arena, engine: str, way: str) -> tuple[Site, dict[str, str]]:
    """Return a project with its test, and environment variables of its runs."""
    prefix = f"test_{engine[:2].lower()}_{way[:3]}".lower().replace(" ", "_")
    site = arena.site(STATIC if way == ONE else way, prefix)
    (site.folder / "shop/tests.py").write_text(TESTS[way])
    env = {"TENANTS": "0" if way == ONE else str(TENANTS)}
    if way == OURS:
        env["TEST_DATABASE_URL"] = site.env["DATABASE_URL"]
        if engine == "SQLite":
            env["TEST_DATABASE_URL"] = f"sqlite:///{site.folder}/tests.sqlite3"
        return site, env
    with Path(site.folder / "settings.py").open("a") as file:
        file.write((ALONE if way == ONE else "") + (SQLITE if engine == "SQLite" else ""))
    return site, env
