"""What replicas cost: the router compared with `.using()`, requests with 0, 1 and 2 standbys, and stale reads.

The standbys follow a PostgreSQL primary by streaming replication, on this machine and with the tests' settings.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter

from tests.support import commands, pairs, settings
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres
from tests.support.standbys import Standby, replicated
from tests.support.template import ROOT

FILL = """
import django
django.setup()
from notes.models import Note
Note.objects.bulk_create([Note(text=f"note {number}") for number in range(2000)])
"""
#: Pages with one read each, routed and named, by turns, in a web process.
ROUTED = """
import json, sys, time
import django
django.setup()
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from databases.serving import fit_connections
from notes.models import Note

def routed(request):
    return HttpResponse(Note.objects.get(pk=key)._state.db)

def named(request):
    return HttpResponse(Note.objects.using("replica").get(pk=key)._state.db)

def posted(request):
    return HttpResponse(Note.objects.get(pk=key)._state.db)

key = Note.objects.values_list("pk", flat=True)[0]
fit_connections(asgi=False)
settings.ROOT_URLCONF = type("Pages", (), {"urlpatterns": [path(f.__name__, f) for f in (routed, named, posted)]})
settings.ALLOWED_HOSTS = ["testserver"]
clients = {}
for way, middleware in (("named", []), ("routed", ["databases.replicas.middleware.ReplicaMiddleware"])):
    settings.MIDDLEWARE = middleware
    clients[way] = Client(SERVER_NAME="testserver")
    clients[way].get(f"/{way}")

def statements():
    found = {}
    for alias in ("default", "replica"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            found[alias] = cursor.fetchone()[0]
        connections[alias].close()
    return found

taken = {"routed": [], "named": []}
for turn in range(-200, int(sys.argv[1])):
    for way in ("routed", "named")[:: 1 if turn % 2 else -1]:
        start = time.perf_counter()
        clients[way].get(f"/{way}")
        if turn >= 0:
            taken[way].append(time.perf_counter() - start)
counted = {}
for way, method, client in (("named", "get", "named"), ("routed", "get", "routed"), ("posted", "post", "routed")):
    before = statements()
    for _ in range(500):
        getattr(clients[client], method)(f"/{way}")
    time.sleep(1.5)
    after = statements()
    counted[f"{method.upper()}, {way}"] = {alias: (after[alias] - before[alias]) / 500 for alias in after}
print(json.dumps({"counted": counted, **taken}))
"""
#: One worker's requests of ten reads each, of visitors who have written nothing.
REQUESTS = """
import json, sys, time
import django
django.setup()
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from databases.replicas.reading import alias_for_read
from notes.models import Note

def page(request):
    for number in range(10):
        list(Note.objects.order_by("pk")[number * 20 : number * 20 + 20])
    return HttpResponse(alias_for_read() or "default")

settings.ROOT_URLCONF = type("Pages", (), {"urlpatterns": [path("", page)]})
settings.ALLOWED_HOSTS = ["testserver"]
settings.MIDDLEWARE = ["databases.replicas.middleware.ReplicaMiddleware"]
client = Client()
for _ in range(50):
    client.get("/")
start, seen = time.perf_counter(), []
while time.perf_counter() - start < float(sys.argv[1]):
    seen.append(client.get("/").content.decode())
print(json.dumps({"rate": len(seen) / (time.perf_counter() - start), "replica": sum(a != "default" for a in seen)}))
"""


def project(folder: Path, django: str) -> tuple[Bake, Environment]:
    """Bake a project that reads from replicas, and return it with its environment."""
    tools = Environment(ROOT / ".envs" / f"django-{django}")
    if not tools.python.exists():
        sys.exit(f"{tools.python} is not there: `make test` makes the environments that this needs.")
    answers = {
        "project_slug": "bench",
        "primary_database": "postgresql",
        "secondary_database": "none",
        "read_replicas": "yes",
        "django_version": django,
    }
    path = Path(cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder)))
    return Bake(path, {**answers, "__mirror": "", "__replicas": "yes", "__tenants": "", "__fleet": ""}), tools


def fill(bake: Bake, tools: Environment, primary: OwnPostgres, standbys: list[Standby]) -> dict[str, str]:
    """Create the tables and rows, wait for the standbys, and return the environment without replicas."""
    primary.server.execute("CREATE DATABASE site")
    env = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": primary.server.url("site"),
    }
    bake.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    bake.run(tools, "python", "-c", FILL, env=env)
    for standby in standbys:
        standby.catch_up(primary)
    return env


def with_replicas(env: dict[str, str], standbys: list[Standby]) -> dict[str, str]:
    """Return the environment with these replicas."""
    return {**env, "REPLICA_DATABASE_URLS": ",".join(standby.server.url("site") for standby in standbys)}


def measured(bake: Bake, tools: Environment, program: str, word: str, env: dict[str, str]) -> dict[str, Any]:
    """Run a program in the project, and return the JSON in its last line."""
    said = commands.run([tools.python, "-c", program, word], cwd=bake.path, env=env, timeout=3600)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--django", default="6.1")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    bake, tools = project(folder, arguments.django)
    with replicated(2) as (primary, standbys):
        env = fill(bake, tools, primary, standbys)
        both = with_replicas(env, standbys)
        one = with_replicas(env, standbys[:1])
        taken: dict[str, Any] = measured(bake, tools, ROUTED, str(arguments.reads), one)
        routed, named = (statistics.median(taken[way]) * 1e6 for way in ("routed", "named"))
        print(f"a page with one `get()`, medians of {arguments.reads:,}, in microseconds:\n")
        print("| routed | `.using()`, without the middleware | ratio |\n|---|---|---|")
        print(f"| {routed:.1f} | {named:.1f} | {routed / named:.3f} |\n")
        print("| page | statements on the primary | on the replica |\n|---|---|---|")
        for page, found in taken["counted"].items():
            print(f"| {page} | {found['default']:.2f} | {found['replica']:.2f} |")

        rates: dict[int, list[float]] = {0: [], 1: [], 2: []}
        shares: dict[int, list[float]] = {0: [], 1: [], 2: []}
        for _ in range(arguments.rounds):
            for number, rate in rates.items():
                said = measured(bake, tools, REQUESTS, str(arguments.seconds), with_replicas(env, standbys[:number]))
                per_second, on_replica = float(str(said["rate"])), float(str(said["replica"]))
                rate.append(per_second)
                shares[number].append(on_replica / (per_second * arguments.seconds))
        print("| standbys | requests per second, one worker | to none | share of reads that reached a standby |")
        print("|---|---|---|---|")
        for number, rate in rates.items():
            share = min(1.0, statistics.median(shares[number]))
            ratio = statistics.median(rate) / statistics.median(rates[0])
            print(f"| {number} | {statistics.median(rate):.0f} | {ratio:.2f} | {share:.0%} |")

        print("\n| position checked | pairs | stale reads | reads from a standby |\n|---|---|---|---|")
        for check, count in ((True, arguments.pairs), (False, max(1, arguments.pairs // 10))):
            stale, from_replica = pairs.run(bake, tools, both, standbys, count, check=check)
            print(f"| {'yes' if check else 'no'} | {count:,} | {stale:,} | {from_replica:,} |")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
