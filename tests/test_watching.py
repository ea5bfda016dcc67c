"""The metrics and the tracing in `extras/`, installed as `docs/how-to/watching.md` shows, on real servers."""

import json
import os
import re
import signal
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import commands, documents, environments, settings, web_servers
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import wait_until
from tests.support.servers import Server
from tests.support.standbys import Standby, replicated
from tests.support.system_postgres import SystemPostgres
from tests.support.template import ROOT
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]
Numbers = dict[str, float]

DOCUMENT = textwrap.dedent((ROOT / "docs/how-to/watching.md").read_text(encoding="utf-8").replace("\n   ", "\n"))
#: By file, where its lines go.
SETTINGS = {"metrics": "config/databases.py", "tracing": "config/settings.py"}
TOKEN = "a long random text"
#: What a page sends to each database, and the role.
STATEMENTS = {"default": 4, "secondary": 2, "mirror": 4, "replica": 5}
ROLES = {"default": "primary", "tenant_*": "tenant", "tenant_acme": "tenant"}
PAGES = """
import os
from contextlib import suppress
from django.conf import settings
from django.db import Error, connections
from django.http import HttpResponse
from django.urls import path
from databases import metrics
from databases.tenants import current_tenant

settings.ROOT_URLCONF = "story_pages"
settings.TENANT_CACHE_SECONDS = 3600
settings.METRICS_TENANTS = ["acme"]

def send(alias, count, sql="SELECT 1"):
    for _ in range(count):
        with suppress(Error), connections[alias].cursor() as cursor:
            cursor.execute(sql)

def work(request):
    send("default", 3)
    send("default", 1, "SELECT 'a secret' FROM nowhere")
    send("secondary", 2)
    send("mirror", 4)
    send("replica", 5)
    return HttpResponse(str(os.getpid()))

def tenant(request):
    send(current_tenant().alias, 6)
    return HttpResponse(str(os.getpid()))

def hold(request):
    send("default", 1, "SELECT pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1)")
    return HttpResponse("held")

def numbers(request):
    # Without questions to the databases.
    return HttpResponse(metrics.generate_latest(metrics.counted()))

urlpatterns = [path(f"{view.__name__}/", view) for view in (work, tenant, hold, numbers)]
"""
PREPARE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate_databases")
for slug in ("acme", "hal", "umbrella"):
    call_command("create_tenant", slug)
call_command("suspend_tenant", "hal")
"""
#: Statements under a tenant and without one, in a thread and in tasks, with a parent each. Prints the spans.
TRACE = """
import asyncio, json, threading
from contextlib import suppress
import django
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
django.setup()
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error, connections
from databases.tenants import carry_tenant, use_tenant
from databases.tenants.context import TEMPLATE_TENANT, tenant_block

settings.TENANT_CACHE_SECONDS = 3600

def send(alias, sql="SELECT 1"):
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)

async def task(slug):
    with trace.get_tracer("story").start_as_current_span(f"task of {slug}"):
        async with use_tenant(slug):
            await sync_to_async(send)(f"tenant_{slug}")
            await sync_to_async(send)("default")

async def tasks():
    await asyncio.gather(task("acme"), task("umbrella"))

with use_tenant("umbrella"):
    pass
with use_tenant("acme"):
    spans.clear()
    send("tenant_acme")
    send("mirror")
    thread = threading.Thread(target=carry_tenant(lambda: send("tenant_acme")))
    thread.start()
    thread.join()
with tenant_block(TEMPLATE_TENANT):
    send("secondary")
with suppress(Error):
    send("default", "SELECT 'a secret'::int")
asyncio.run(tasks())
found = spans.get_finished_spans()
names = {each.context.span_id: each.name for each in found}
print(json.dumps([
    [each.name, each.parent and names[each.parent.span_id], dict(each.attributes), each.status.status_code.name]
    for each in found if each.name.startswith("query")
]))
print("a secret" in "".join(each.to_json() for each in found))
"""


def block(language: str, word: str) -> str:
    """Return the block of the document that holds a word."""
    (found,) = (each for each in documents.blocks(DOCUMENT, language) if word in each)
    return found


def install(project: Bake, *files: str) -> Bake:
    """Copy files of `extras/` to a project, and add their lines to its settings, as the document says."""
    for name in files:
        copy = block("sh", f"{name}.py").replace("<this repository>", str(ROOT))
        commands.run(["sh", "-e", "-c", copy], cwd=project.path)
        project.write(SETTINGS[name], f"{project.read(SETTINGS[name])}\n{block('python', f'databases.{name}')}")
    return project


def series(metric: str, alias: str) -> str:
    """Return the name of a metric of a database, with its labels."""
    return f'{metric}{{alias="{alias}",role="{ROLES.get(alias, alias)}"}}'


def parsed(text: str) -> Numbers:
    """Return the values on a page of metrics."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def scrape(serving: Server, token: str = TOKEN) -> tuple[int, str]:
    """Return the status and the text of the page, asked for by an address that is in no setting."""
    headers = {"Authorization": f"Bearer {token}", "Host": "10.0.0.3:8000"}
    request = urllib.request.Request(f"http://127.0.0.1:{serving.port}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=50) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def numbers(serving: Server) -> Numbers:
    """Return the numbers that Prometheus reads."""
    status, text = scrape(serving)
    assert status == 200, serving.log.read_text()
    return parsed(text)


@pytest.fixture
def servers() -> Iterator[tuple[str, str, Standby]]:
    """A primary and a standby: URLs of databases on both, with `{name}`, and the standby."""
    with replicated(1) as (primary, (standby,)):
        for name in ("site", "second", "upstream"):
            primary.server.execute(f"CREATE DATABASE {name} OWNER tester")
        urls = [each.server.url_for_tests("NAME").replace("NAME", "{name}") for each in (primary, standby)]
        yield urls[0], urls[1], standby


def test_every_role_is_watched_in_two_processes_and_a_hanging_database_delays_no_page(
    bake: Baker, environment: Environments, servers: tuple[str, str, Standby], tmp_path: Path
) -> None:
    primary, replica, standby = servers
    project = bake(
        primary_database="postgresql",
        secondary_database="mirror-and-writable",
        read_replicas="yes",
        tenant_databases="managed",
        django_version=DJANGO or "6.1",
    )
    install(project, "metrics", "tracing")
    project.write("story_pages.py", PAGES)
    project.write("gunicorn.conf.py", block("python", "child_exit"))
    env = {
        **settings.production(project, lambda name: primary.replace("{name}", name)),
        "REPLICA_DATABASE_URLS": replica.replace("{name}", "site"),
        "ALLOWED_HOSTS": "example.com,.example.com",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    tools = environment(project.answers["django_version"])
    project.run(tools, "python", "-c", PREPARE, env=env)
    check_spans(project.run(tools, "python", "-c", TRACE, env=env))

    project.write("config/wsgi.py", f"{project.read('config/wsgi.py')}\nimport story_pages\n")
    env |= {"METRICS_TOKEN": TOKEN, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    commands.run(["sh", "-e", "-c", block("sh", "rm -rf").partition("\n")[2]], cwd=tmp_path, env=env)
    with web_servers.serving("gunicorn", project, web_servers.environment(project), env) as serving:
        workers = check_counts(serving)
        with psycopg.connect(primary.replace("{name}", "second"), autocommit=True) as second:
            check_gauges(serving, standby, second)
        with psycopg.connect(primary.replace("{name}", "site"), autocommit=True) as holder:
            check_connections(serving, holder, Path(env["PROMETHEUS_MULTIPROC_DIR"]), workers)
    assert "a secret" not in serving.log.read_text()


def check_spans(output: str) -> None:
    """Check the spans that `TRACE` has printed."""
    *_, spans, quotes = output.splitlines()

    def span(role: str, alias: str, tenant: str, parent: str | None = None, error: str = "") -> list[object]:
        attributes = {"db.system.name": "postgresql", "database.alias": alias, "database.role": role, "tenant": tenant}
        failed = {"error.type": error} if error else {}
        return [f"query {role}", parent, attributes | failed, "ERROR" if error else "UNSET"]

    found = json.loads(spans)
    assert found[:5] == [
        span("tenant", "tenant_acme", "acme"),
        span("mirror", "mirror", "acme"),
        span("tenant", "tenant_acme", "acme"),
        span("secondary", "secondary", ""),
        span("primary", "default", "", error="DataError"),
    ]
    assert sorted(found[5:], key=str) == sorted(
        (
            span(role, alias, slug, f"task of {slug}")
            for slug in ("acme", "umbrella")
            for role, alias in (("tenant", f"tenant_{slug}"), ("primary", "default"))
        ),
        key=str,
    )
    assert quotes == "False"


def ask_both(serving: Server, host: str, page: str) -> list[str]:
    """Ask for a page until both workers have answered it. Return who answered, request by request."""
    answered: list[str] = []

    def ask() -> bool:
        answered.append(serving.page(host, page))
        return len({*answered}) == 2

    wait_until(ask)
    return answered


def check_counts(serving: Server) -> list[str]:
    """Check that the statements of two workers are counted exactly, and return the workers."""
    ask_both(serving, "acme.example.com", "/tenant/")
    ask_both(serving, "umbrella.example.com", "/tenant/")
    before = parsed(serving.page("example.com", "/numbers/"))
    works, tenants = ask_both(serving, "example.com", "/work/"), ask_both(serving, "umbrella.example.com", "/tenant/")
    text = serving.page("example.com", "/numbers/")
    after = parsed(text)
    expected = {alias: count * len(works) for alias, count in STATEMENTS.items()} | {"tenant_*": 6 * len(tenants)}
    names = {alias: series("database_query_seconds_count", alias) for alias in expected}
    found = {alias: after[name] - before.get(name, 0) for alias, name in names.items()}
    # Connecting to the mirror sends one more, which is counted from a thread's second connection on.
    assert 0 <= found.pop("mirror") - expected.pop("mirror") <= len(works)
    assert found == expected
    errors = {name: value for name, value in after.items() if name.startswith("database_errors_total")}
    assert errors == {
        'database_errors_total{alias="default",error="ProgrammingError",role="primary"}': float(len(works))
    }
    # Only this tenant is named in the settings.
    assert after[series("database_query_seconds_count", "tenant_acme")] >= 6 * 2
    assert not re.search("umbrella|secret|SELECT", text)
    return [*{*works}]


def check_gauges(serving: Server, standby: Standby, second: psycopg.Connection) -> None:
    """Check what the databases are asked, also while one of them hangs."""
    assert scrape(serving, "") == scrape(serving, f"{TOKEN}x") == (401, "Send METRICS_TOKEN as a bearer token.\n")

    def are_up(expected: dict[str, int]) -> bool:
        found = numbers(serving)
        return {alias: found[series("database_up", alias)] for alias in STATEMENTS} == expected

    # A worker's first page imports all migrations, which may take longer than it waits.
    wait_until(lambda: are_up(dict.fromkeys(STATEMENTS, 1)))
    found = numbers(serving)
    assert {name: value for name, value in found.items() if name.startswith(("database_tenants", "database_migr"))} == {
        'database_tenants{status="pending"}': 0,
        'database_tenants{status="active"}': 2,
        'database_tenants{status="suspended"}': 1,
        series("database_migrations_pending", "default"): 0,
        series("database_migrations_pending", "secondary"): 0,
    }
    second.execute("DELETE FROM django_migrations WHERE app = 'events'")
    wait_until(lambda: numbers(serving)[series("database_migrations_pending", "secondary")] > 0)

    wait_until(lambda: numbers(serving)[series("database_replica_healthy", "replica")] == 1)
    standby.pause()
    second.execute("CREATE TABLE later (id int)")
    wait_until(lambda: numbers(serving)[series("database_replica_lag_seconds", "replica")] > 1)
    standby.resume()
    wait_until(lambda: numbers(serving)[series("database_replica_lag_seconds", "replica")] < 1)
    with standby.frozen():
        wait_until(lambda: are_up({**dict.fromkeys(STATEMENTS, 1), "replica": 0}))


def check_connections(serving: Server, holder: psycopg.Connection, folder: Path, workers: list[str]) -> None:
    """Check that connections in use are a sum of the workers that live, and that counters outlive a worker."""
    in_use = series("database_connections_in_use", "default")
    wait_until(lambda: numbers(serving)[in_use] == 0)
    holder.execute("SELECT pg_advisory_lock(1)")
    with ThreadPoolExecutor(3) as clients:
        try:
            pages = [clients.submit(serving.page, "example.com", "/hold/") for _ in range(3)]
            # This page does not count them: each worker does, at any time.
            wait_until(lambda: parsed(serving.page("example.com", "/numbers/"))[in_use] == 3)
        finally:
            holder.execute("SELECT pg_advisory_unlock(1)")
        assert [page.result() for page in pages] == ["held"] * 3
    wait_until(lambda: numbers(serving)[in_use] == 0)
    found = numbers(serving)
    assert found[series("database_connections_limit", "default")] == 2 * 10
    assert found[series("database_connections_limit", "tenant_*")] == 2 * 64

    os.kill(int(workers[0]), signal.SIGKILL)
    wait_until(lambda: not (folder / f"gauge_livesum_{workers[0]}.db").exists())
    assert (folder / f"counter_{workers[0]}.db").exists()
    statements = series("database_query_seconds_count", "mirror")
    assert numbers(serving)[statements] == found[statements]


CREATE_ACME = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("create_tenant", "acme", database="{}")
"""
#: Asks for the page without a token in the settings; with one, twice under ASGI; and without a header. Prints the
#: answers, and how many threads the second page has started.
ASK = """
import asyncio, json, threading
import django
django.setup()
from django.conf import settings
from django.db import connections
from django.test import AsyncClient, Client

async def ask():
    return await AsyncClient().get("/metrics", headers={"authorization": "Bearer a long random text"})

found = [Client().get("/metrics", headers={"authorization": "Bearer "}).status_code]
settings.METRICS_TOKEN = "a long random text"
with connections["default"].cursor() as cursor:
    cursor.execute("SELECT 1")
asyncio.run(ask())
before = {*threading.enumerate()}
answer = asyncio.run(ask())
found += [len({*threading.enumerate()} - before), Client().get("/metrics").status_code, answer.status_code]
print(json.dumps([*found, answer.content.decode()]))
"""


def test_a_small_project_is_watched_and_its_tools_are_content(
    bake: Baker, environment: Environments, tmp_path: Path
) -> None:
    project = bake(django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    assert all(f'`"{requirement}"`' in DOCUMENT for requirement in environments.EXTRAS)
    install(project, "metrics", "tracing")
    project.run(tools, "ruff", "check", "--no-cache", ".")
    project.run(tools, "ruff", "format", "--no-cache", "--check", ".")
    project.run(tools, "mypy", "databases/metrics.py", "databases/tracing.py")

    env = {**settings.production(project, settings.sqlite(tmp_path)), "ALLOWED_HOSTS": "testserver"}
    # SQLite opens this mirror for ever.
    mirror = tmp_path / "upstream.sqlite3"
    os.mkfifo(mirror)
    code = ("python", "-c", ASK)
    asked = project.run(tools, *code, env={**env, "DJANGO_SETTINGS_MODULE": "config.settings"}, timeout=60)
    *answers, text = json.loads(asked.splitlines()[-1])
    assert answers == [404, 0, 401, 200]
    found = parsed(text)
    assert found[series("database_query_seconds_count", "default")] == 1
    # No migration was applied.
    assert found[series("database_migrations_pending", "default")] > 0
    assert found[series("database_up", "default")] == 1
    assert found[series("database_up", "mirror")] == 0
    # SQLite has no pool, and this project no other role.
    assert not re.search("database_connections_in_use{|database_replica_lag_seconds{|database_tenants{", text)

    mirror.unlink()
    check = block("sh", "check_mirror").replace("/var/lib/node_exporter", str(tmp_path))
    project.run(tools, "sh", "-c", check, env=env)
    assert (tmp_path / "check_mirror.prom").read_text() == 'database_check_exit_code{command="check_mirror"} 2\n'


def test_slow_statements_are_found_by_tenant(
    bake: Baker, environment: Environments, system_postgres: SystemPostgres, database_names: Iterator[str]
) -> None:
    project = bake(
        primary_database="postgresql",
        secondary_database="none",
        tenant_databases="managed",
        django_version=DJANGO or "5.2",
    )
    registry, own = next(database_names), next(database_names)
    url = system_postgres.create(registry)
    env = {
        **settings.production(project, lambda name: url.replace(registry, name)),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    system_postgres.execute("CREATE EXTENSION pg_stat_statements", registry)
    project.run(environment(project.answers["django_version"]), "python", "-c", CREATE_ACME.format(own), env=env)
    system_postgres.execute("SELECT pg_sleep(0.01), 'a secret'", own)
    found = system_postgres.execute(block("sql", "pg_stat_statements"), registry)
    assert ("acme", 1, "SELECT pg_sleep($1), $2") in [(slug, calls, text) for slug, calls, _, text in found]
