"""Web servers open a bounded number of sessions, and a database server that stops or freezes is an error in seconds."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import own_postgres, settings, web_servers
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.mariadb import Mariadb
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.servers import Server
from tests.support.variants import DJANGO

PAGES = """
import os
from django.conf import settings
from django.db import connection, connections
from django.http import HttpResponse
from django.urls import path

settings.ROOT_URLCONF = "story_pages"
if "WITHOUT_THE_LAYER" in os.environ:
    connections.settings["default"]["OPTIONS"].pop("pool", None)
    connections.settings["default"]["CONN_MAX_AGE"] = 60

HOLD = (
    "SELECT pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1),"
    " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())"
)

def answer(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return HttpResponse(str(cursor.fetchone()[-1]))

def hold(request):
    return answer(HOLD)

def quick(request):
    return answer("SELECT 1")

urlpatterns = [path("hold/", hold), path("quick/", quick)]
"""
POOL = 10
CLIENTS = 24
#: By web server, the sessions that one process needs at the same time: one for each of gunicorn's threads.
NEEDED = {"gunicorn": 4, "gevent": POOL, "uvicorn": POOL}
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def make_site(bake: Baker, engine: str) -> tuple[Bake, Environment]:
    """Return a project with the pages above, and its environment."""
    site = bake(primary_database=engine, secondary_database="none", django_version=DJANGO or "6.1")
    site.write("story_pages.py", PAGES)
    for file in ("config/asgi.py", "config/wsgi.py"):
        site.write(file, f"{site.read(file)}\nimport story_pages\n")
    return site, web_servers.environment(site)


@pytest.fixture
def postgres(shared: Path, worker_id: str) -> Iterator[OwnPostgres]:
    """A server that a test may stop."""
    with own_postgres.running(shared / f"connections-{worker_id}") as made:
        yield made


def production(site: Bake, url: str) -> dict[str, str]:
    """Return the environment variables of the project in production."""
    return {**settings.production(site, lambda name: url), "DJANGO_SETTINGS_MODULE": "config.settings"}


def status(serving: Server, page: str = "/quick/") -> int:
    """Return the status of a page. Raises TimeoutError after 50 seconds."""
    request = urllib.request.Request(f"http://127.0.0.1:{serving.port}{page}", headers={"Host": "example.com"})
    try:
        with urllib.request.urlopen(request, timeout=50) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def hold_sessions(serving: Server, postgres: OwnPostgres, url: str, at_least: int) -> int:
    """Ask for pages at the same time, until so many sessions are in use. Return the most sessions that a page saw."""
    serving.page("example.com", "/quick/")
    with psycopg.connect(url, autocommit=True) as holder, ThreadPoolExecutor(CLIENTS) as clients:
        holder.execute("SELECT pg_advisory_lock(1)")
        try:
            pages = [clients.submit(serving.page, "example.com", "/hold/") for _ in range(CLIENTS)]
            wait_until(lambda: postgres.server.execute(HELD) >= [(at_least,)])
        finally:
            holder.execute("SELECT pg_advisory_unlock(1)")
        # Without the session that held the lock.
        return max(int(page.result()) for page in pages) - 1


@pytest.mark.parametrize("name", web_servers.COMMANDS)
def test_the_sessions_of_a_web_server_are_bounded(bake: Baker, postgres: OwnPostgres, name: str) -> None:
    site, tools = make_site(bake, "postgresql")
    assert f"DATABASE_POOL_SIZE = {POOL}" in site.read("config/databases.py")
    url = postgres.server.create(f"bounded_{name}")
    env = production(site, url)
    with web_servers.serving(name, site, tools, env) as serving:
        found = hold_sessions(serving, postgres, url, at_least=NEEDED[name])
    print(name, CLIENTS, "clients:", found, "sessions")
    # One process of gunicorn may get all requests.
    assert NEEDED[name] <= found <= POOL * web_servers.PROCESSES[name]
    if name == "uvicorn":
        with web_servers.serving(name, site, tools, {**env, "WITHOUT_THE_LAYER": "on"}) as serving:
            found = hold_sessions(serving, postgres, url, at_least=POOL + 1)
        print(name, CLIENTS, "clients without the pool:", found, "sessions")
        assert found > POOL


def test_no_session_outlives_its_request_on_mysql_under_asgi(
    bake: Baker, mariadb: Mariadb, database_names: Iterator[str]
) -> None:
    site, tools = make_site(bake, "mysql")
    if not tools.has_mysqlclient:
        pytest.skip("mysqlclient could not be built")
    name = next(database_names)
    env = production(site, mariadb.create(name))
    count = f"SELECT count(*) FROM information_schema.processlist WHERE db = '{name}'"  # noqa: S608
    with web_servers.serving("uvicorn", site, tools, env) as serving:
        for _ in range(20):
            serving.page("example.com", "/quick/")
        wait_until(lambda: mariadb.execute(count) == [(0,)])
    with web_servers.serving("uvicorn", site, tools, {**env, "WITHOUT_THE_LAYER": "on"}) as serving:
        for _ in range(20):
            serving.page("example.com", "/quick/")
        assert mariadb.execute(count) > [(1,)]


def test_a_server_that_stops_or_freezes_is_an_error_until_it_is_back(bake: Baker, postgres: OwnPostgres) -> None:
    site, tools = make_site(bake, "postgresql")
    url = postgres.server.create("freezing")
    with web_servers.serving("gunicorn", site, tools, production(site, url)) as serving:
        serving.page("example.com", "/quick/")
        postgres.crash()
        assert status(serving) == 500
        postgres.start()
        assert status(serving) == 200

        rows = postgres.server.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'freezing'")
        sessions = [int(str(pid)) for (pid,) in rows]
        assert sessions
        postgres.signal(signal.SIGSTOP)
        for session in sessions:
            os.kill(session, signal.SIGSTOP)
        # Each process of gunicorn has its pool.
        assert [status(serving) for _ in range(4)] == [500] * 4
        for session in sessions:
            os.kill(session, signal.SIGCONT)
        postgres.signal(signal.SIGCONT)
        wait_until(lambda: status(serving) == 200)
