"""Many tenants behind real web servers: no page shows another tenant's row, and database sessions stay few."""

import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import own_postgres, settings, stress, tenant_forks, variants, web_servers
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.postgres import AnyPostgres, Postgres
from tests.support.servers import Server
from tests.support.sessions import TOGETHER, Bounded
from tests.support.sites import Site

TENANTS, CLIENTS, REQUESTS = 30, 8, 240
#: Fewer than gunicorn has threads.
BOUND = 3
#: Pages that are asked for at the same time, and wait for the same lock.
HELD = 60
#: Sessions bear the name of their process.
PAGES = """
import os
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.urls import path
from databases.tenants import current_tenant
from projects.models import DataPoint

settings.ROOT_URLCONF = "story_pages"

def name_process():
    os.environ["PGAPPNAME"] = f"process {os.getpid()}"

name_process()
os.register_at_fork(after_in_child=name_process)

def points(request):
    names = " ".join(DataPoint.objects.values_list("name", flat=True))
    with connections[current_tenant().alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('application_name')")
        assert cursor.fetchone() == (f"process {os.getpid()}",), "This is a session of another process."
    return HttpResponse(names)

urlpatterns = [path("points/", points)]
"""
#: Queries in the process that `gunicorn --preload` forks, which leaves an idle connection and one in use.
PRELOADED = """
from django.db import connections
from databases.tenants import use_tenant
from projects.models import DataPoint

with use_tenant("tenant-0"):
    assert DataPoint.objects.get().name == "tenant-0"
connections["tenant_tenant-1"].ensure_connection()
"""


class Many:
    """A project with many tenants in production, and the user of their databases."""

    def __init__(self, project: Bake, tools: Environment, env: dict[str, str], bounded: Bounded) -> None:
        self.project = project
        self.tools = tools
        self.env = env
        self.bounded = bounded

    def set(self, name: str, before: int, after: int) -> None:
        """Change a setting."""
        text = self.project.read("config/databases.py")
        assert text.count(f"\n{name} = {before}\n") == 1
        self.project.write("config/databases.py", text.replace(f"\n{name} = {before}\n", f"\n{name} = {after}\n"))


def made(bake: Baker, registry: AnyPostgres, tenants: AnyPostgres, prefix: str) -> Many:
    """Return a project with tenants, whose registry may be on another server."""
    project = bake(
        primary_database="postgresql",
        secondary_database="none",
        tenant_databases="managed",
        django_version=variants.DJANGO or "6.1",
    )
    project.write("story_pages.py", PAGES)
    for file in ("config/asgi.py", "config/wsgi.py"):
        project.write(file, f"{project.read(file)}\nimport story_pages\n")
    bounded = Bounded(tenants, prefix)
    env = {
        **settings.production(project, registry.url),
        "DATABASE_URL": registry.create(f"{prefix}_site"),
        "TENANT_DATABASE_URL": bounded.url_of_administrator,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ALLOWED_HOSTS": ".example.com",
    }
    tools = web_servers.environment(project)
    project.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    project.run(tools, "python", "-c", stress.MAKE, prefix, str(TENANTS), env=env)
    return Many(project, tools, {**env, "TENANT_DATABASE_URL": bounded.url}, bounded)


@pytest.fixture
def many(bake: Baker, postgres: Postgres, database_names: Iterator[str]) -> Many:
    """A project with many tenants on PostgreSQL."""
    return made(bake, postgres, postgres, f"many_{next(database_names)}")


def ask(serving: Server, slug: str) -> tuple[int, str]:
    """Return the status of a tenant's page, and its text."""
    return Site(serving.port, serving.log, "").ask("points/", f"{slug}.example.com")


def ask_many(serving: Server, requests: int, clients: int = CLIENTS) -> None:
    """Ask for pages of tenants at random, and check that each shows the tenant's row."""
    chance = random.Random(20261124)  # noqa: S311
    slugs = [f"tenant-{chance.randrange(TENANTS)}" for _ in range(requests)]
    with ThreadPoolExecutor(clients) as pool:
        pages = list(pool.map(lambda slug: ask(serving, slug), slugs))
    assert pages == [(200, slug) for slug in slugs], serving.log.read_text()


@pytest.mark.parametrize("server", web_servers.COMMANDS)
def test_few_connections_serve_many_tenants(many: Many, server: str) -> None:
    many.set("TENANT_CONNECTIONS", 64, BOUND)
    # This is no test of speed: on a slow machine a connection may become free late.
    many.set("TENANT_CONNECTION_WAIT", 5, 60)
    most = web_servers.PROCESSES[server] * BOUND
    # The server refuses more.
    many.bounded.limit(most)
    for age in (60, 0):
        env = {**many.env, "TENANT_DATABASE_URL": f"{many.env['TENANT_DATABASE_URL']}&conn_max_age={age}"}
        with web_servers.serving(server, many.project, many.tools, env) as serving:
            serving.page("tenant-0.example.com", "/points/")
            with many.bounded.counted() as sessions:
                ask_many(serving, REQUESTS)
        print(server, "with connections of", age, "seconds:", dict(sessions))
        assert 0 < sessions[TOGETHER] <= most
        assert all(number <= BOUND for name, number in sessions.items() if name != TOGETHER)


@pytest.mark.parametrize("server", ["gevent", "uvicorn"])
def test_of_many_held_pages_those_without_a_connection_answer_503(many: Many, server: str) -> None:
    many.set("TENANT_CONNECTIONS", 64, 8)
    # The pages that got a connection wait for as long as it takes.
    many.set("DATABASE_STATEMENT_SECONDS", 10, 300)
    many.bounded.limit(8)
    slugs = [f"tenant-{number % 4}" for number in range(HELD)]
    statuses: Counter[int] = Counter()
    with (
        web_servers.serving(server, many.project, many.tools, many.env) as serving,
        ThreadPoolExecutor(HELD) as clients,
        ExitStack() as holders,
    ):
        serving.page("tenant-0.example.com", "/points/")
        for slug in dict.fromkeys(slugs):
            url = many.bounded.server.url(f"{many.bounded.prefix}_{slug.rpartition('-')[2]}")
            holders.enter_context(psycopg.connect(url)).execute("LOCK projects_datapoint")
        with many.bounded.counted() as sessions:
            asked = [clients.submit(ask, serving, slug) for slug in slugs]
            wait_until(lambda: sum(page.done() for page in asked) >= HELD - 8)
            statuses.update(page.result()[0] for page in asked if page.done())
            assert statuses == {503: HELD - 8}, serving.log.read_text()
            holders.close()
            pages = [page.result() for page in asked]
        assert Counter(status for status, _ in pages) == {200: 8, 503: HELD - 8}
        assert all(text == slug for slug, (status, text) in zip(slugs, pages, strict=True) if status == 200)
        print(server, HELD, "held pages:", Counter(status for status, _ in pages), dict(sessions))
        assert sessions[TOGETHER] == 8
        ask_many(serving, CLIENTS, clients=1)


def test_workers_share_no_connection_with_the_process_that_was_preloaded(many: Many) -> None:
    many.set("TENANT_CONNECTIONS", 64, BOUND)
    many.set("TENANT_CONNECTION_WAIT", 5, 60)
    many.project.write("config/wsgi.py", f"{many.project.read('config/wsgi.py')}{PRELOADED}")
    with (
        many.bounded.counted() as sessions,
        web_servers.serving("gunicorn", many.project, many.tools, many.env, "--preload") as serving,
    ):
        serving.page("tenant-0.example.com", "/points/")
        ask_many(serving, REQUESTS)
    of_master, together = sessions.pop(f"process {serving.process.pid}"), sessions.pop(TOGETHER)
    print("gunicorn --preload: the preloaded process had", of_master, "sessions, its workers", dict(sessions))
    assert of_master == 2
    assert len(sessions) == web_servers.PROCESSES["gunicorn"]
    assert max(sessions.values()) <= BOUND
    assert together <= 2 + BOUND * len(sessions)


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_forked_child_neither_uses_nor_closes_sessions_of_its_parent(many: Many, thread: str) -> None:
    output = many.project.run(many.tools, "python", "-c", tenant_forks.PROGRAM, thread, env=many.env)
    print(output)
    idle, in_use, of_another_thread = "tenant-0", "tenant-1", "tenant-2"
    assert json.loads(output.splitlines()[-1]) == {
        "counts": [2, 1],
        "child": {"counts": [0, 0], "aliases": [], "sessions of the parent": [], "counts at the end": [0, 0]},
        "same sessions": True,
        "rows": {
            idle: [f"child of {idle}", idle],
            in_use: [f"child of {in_use}", f"parent of {in_use}", in_use],
            of_another_thread: [f"child of {of_another_thread}", f"parent of {of_another_thread}", of_another_thread],
        },
    }


@pytest.fixture
def tenants_server(shared: Path, worker_id: str) -> Iterator[OwnPostgres]:
    """A server of tenants that a test may stop."""
    with own_postgres.running(shared / f"tenants-{worker_id}") as started:
        yield started


@pytest.mark.parametrize("server", web_servers.COMMANDS)
def test_a_restarted_server_is_used_again_by_the_same_processes(
    bake: Baker, postgres: Postgres, tenants_server: OwnPostgres, database_names: Iterator[str], server: str
) -> None:
    many = made(bake, postgres, tenants_server.server, f"restarted_{next(database_names)}")
    many.set("TENANT_CONNECTIONS", 64, BOUND)
    many.set("TENANT_CONNECTION_WAIT", 5, 60)
    statuses: Counter[int] = Counter()
    lock, ended = threading.Lock(), threading.Event()

    def client(number: int) -> None:
        chance = random.Random(number)  # noqa: S311
        while not ended.is_set():
            slug = f"tenant-{chance.randrange(TENANTS)}"
            status, text = ask(serving, slug)
            assert status != 200 or text == slug
            with lock:
                statuses[status] += 1

    def stop(number: signal.Signals) -> None:
        tenants_server.server.execute("CHECKPOINT")
        tenants_server.signal(number)
        wait_until(lambda: not (tenants_server.folder / "postmaster.pid").exists())

    def wait_for(status: int, number: int = 20) -> None:
        wanted = statuses[status] + number
        wait_until(lambda: statuses[status] >= wanted or set(statuses) - {200, 503} != set())

    with (
        web_servers.serving(server, many.project, many.tools, many.env) as serving,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        serving.page("tenant-0.example.com", "/points/")
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            for number in (signal.SIGQUIT, signal.SIGINT):
                wait_for(200)
                stop(number)
                wait_for(503)
                tenants_server.start()
                wait_for(200)
        finally:
            ended.set()
        for each in clients:
            each.result()
        print(server, "while its server of tenants restarted twice:", statuses)
        assert set(statuses) == {200, 503}, serving.log.read_text()
        ask_many(serving, TENANTS)
        # Nobody asked while it restarted: connections that were idle are replaced without an error.
        stop(signal.SIGINT)
        tenants_server.start()
        ask_many(serving, TENANTS)
