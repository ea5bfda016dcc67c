"""Many tenants behind real web servers: no page shows another tenant's row, and database sessions stay few."""

import contextlib
import random
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import settings, variants, web_servers
from tests.support.bakes import Bake
from tests.support.postgres import Postgres

TENANTS, BUDGET, CLIENTS, REQUESTS = 30, 8, 8, 240
MAKE = """
import sys
import django
django.setup()
from django.db import connections
from databases.tenants import use_tenant
from databases.tenants.lifecycle import create_tenant
from projects.models import DataPoint
prefix, number = sys.argv[1], int(sys.argv[2])
for each in range(number):
    create_tenant(f"t-{each}", database=f"{prefix}_{each}")
    with use_tenant(f"t-{each}"):
        DataPoint.objects.create(name=f"mark-of-t-{each}", value=1)
    connections.close_all()
"""
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^{prefix}_[0-9]+$'"


@contextlib.contextmanager
def counted(postgres: Postgres, prefix: str) -> Iterator[list[int]]:
    """Count the sessions on the tenants' databases, within the block, as often as possible."""
    ended = threading.Event()
    counts: list[int] = []

    def count() -> None:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            while not ended.is_set():
                row = connection.execute(OPEN.format(prefix=prefix).encode()).fetchone()
                counts.append(row[0] if row else 0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def site(bake: Baker) -> Bake:
    """A project with tenants on PostgreSQL and a small budget."""
    project = bake(
        primary_database="postgresql",
        secondary_database="none",
        tenant_databases="managed",
        django_version=variants.DJANGO or "6.1",
    )
    text = project.read("config/databases.py")
    assert "TENANT_CONNECTIONS = 64" in text
    project.write("config/databases.py", text.replace("TENANT_CONNECTIONS = 64", f"TENANT_CONNECTIONS = {BUDGET}"))
    return project


def test_few_connections_serve_many_tenants(site: Bake, postgres: Postgres, database_names: Iterator[str]) -> None:
    tools = web_servers.environment(site)
    prefix = next(database_names)
    postgres.create(f"{prefix}_site")
    env = {
        **settings.production(site, lambda name: postgres.url(f"{prefix}_{name}" if name == "site" else name)),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": ".example.com",
    }
    site.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    site.run(tools, "python", "-c", MAKE, prefix, str(TENANTS), env=env)
    chance = random.Random(20261124)  # noqa: S311
    for server in web_servers.COMMANDS:
        for age in (60, 0):
            url = f"{env['TENANT_DATABASE_URL']}&conn_max_age={age}"
            slugs = [f"t-{chance.randrange(TENANTS)}" for _ in range(REQUESTS)]
            with (
                web_servers.serving(server, site, tools, {**env, "TENANT_DATABASE_URL": url}) as serving,
                counted(postgres, prefix) as sessions,
                ThreadPoolExecutor(CLIENTS) as clients,
            ):
                serving.page("t-0.example.com", "/data-points/")
                pages = list(clients.map(lambda slug: serving.page(f"{slug}.example.com", "/data-points/"), slugs))
            print(server, "with connections of", age, "seconds: at most", max(sessions), "sessions")
            found = [re.findall(r"mark-of-[\w-]+", page) for page in pages]
            assert found == [[f"mark-of-{slug}"] for slug in slugs]
            # A closed session still counts for a moment.
            assert 0 < max(sessions) <= web_servers.PROCESSES[server] * BUDGET + CLIENTS < TENANTS, server
