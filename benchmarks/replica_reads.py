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
#: The same read, routed and named, by turns.
ROUTED = """
import json, sys, time
import django
django.setup()
from notes.models import Note
from databases.replicas import use_replica

key = Note.objects.values_list("pk", flat=True)[0]
taken = {"routed": [], "named": []}
with use_replica() as work:
    reads = {"routed": lambda: Note.objects.get(pk=key), "named": lambda: Note.objects.using(work.alias).get(pk=key)}
    for turn in range(-200, int(sys.argv[1])):
        for way in ("routed", "named")[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            reads[way]()
            if turn >= 0:
                taken[way].append(time.perf_counter() - start)
print(json.dumps({"alias": work.alias, **taken}))
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
from databases.replicas.pinning import alias_for_read
from notes.models import Note

def page(request):
    for number in range(10):
        list(Note.objects.order_by("pk")[number * 20 : number * 20 + 20])
    return HttpResponse(alias_for_read())

settings.ROOT_URLCONF = type("Pages", (), {"urlpatterns": [path("", page)]})
settings.ALLOWED_HOSTS = ["testserver"]
settings.MIDDLEWARE = ["databases.replicas.middleware.replica_middleware"]
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


def measured(bake: Bake, tools: Environment, program: str, word: str, env: dict[str, str]) -> dict[str, list[float]]:
    """Run a program in the project, and return the JSON in its last line."""
    said = commands.run([tools.python, "-c", program, word], cwd=bake.path, env=env, timeout=3600)
    found: dict[str, list[float]] = json.loads(said.splitlines()[-1])
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
        taken = measured(bake, tools, ROUTED, str(arguments.reads), both)
        routed, named = (statistics.median(taken[way]) * 1e6 for way in ("routed", "named"))
        print(f"`get()` from {taken['alias']}, medians of {arguments.reads:,}, in microseconds:\n")
        print("| routed | `.using()` | ratio |\n|---|---|---|")
        print(f"| {routed:.1f} | {named:.1f} | {routed / named:.3f} |\n")

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
