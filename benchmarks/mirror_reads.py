"""What reading through the guard of the mirror costs: the same reads on a guarded and an unguarded alias.

Both aliases lead to one database, in one process with the settings of production. They take turns read by read, and
alternate in who goes first, so that other work of the machine affects both. The result is medians and their ratio.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cookiecutter.main import cookiecutter

from tests.support import commands, settings
from tests.support.databases import DatabaseServer
from tests.support.mariadb import Mariadb
from tests.support.postgres import Postgres
from tests.support.template import ROOT

ENGINES: dict[str, Callable[[Path], DatabaseServer] | None] = {"sqlite": None, "postgresql": Postgres, "mysql": Mariadb}
TARGET = 1.03
#: The settings of production, and a second alias for the mirror's database, without a guard.
SETTINGS = """
from config.settings import *

DATABASES["plain"] = {**DATABASES["mirror"], "OPTIONS": {**DATABASES["mirror"].get("OPTIONS", {})}}
"""
FILL = """
import django
django.setup()
from django.db import connections
from accounts.models import Member, Organisation
with connections["default"].schema_editor() as editor:
    editor.create_model(Organisation)
    editor.create_model(Member)
Organisation.objects.using("default").bulk_create([Organisation(name=f"Organisation {n}") for n in range(50)])
keys = list(Organisation.objects.using("default").order_by("pk").values_list("pk", flat=True))
Member.objects.using("default").bulk_create(
    [Member(organisation_id=keys[n % 50], name=f"Member {n}", joined="1998-05-16") for n in range(2000)]
)
"""
MEASURE = """
import json, sys, time
import django
django.setup()
from django.db import connections
from accounts.models import Member

count = int(sys.argv[1])
key = Member.objects.using("plain").earliest("pk").pk
organisation = Member.objects.using("plain").earliest("pk").organisation_id

def get(alias):
    Member.objects.using(alias).get(pk=key)

def rows(alias):
    list(Member.objects.using(alias).filter(organisation=organisation).order_by("pk")[:20])

def cursor(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT id, name FROM accounts_member WHERE id = %s", [key])
        cursor.fetchall()

def connect(alias):
    connections[alias].close()
    get(alias)

READS = {"`get()` by key": get, "list of 20": rows, "raw cursor": cursor, "connect and `get()`": connect}

def measure(read, alias):
    start = time.perf_counter()
    read(alias)
    return time.perf_counter() - start

taken = {name: {"plain": [], "mirror": []} for name in READS}
for name, read in READS.items():
    # The first reads are not measured: they fill caches, which a warm worker has filled already.
    for turn in range(-20, count // 10 if read is connect else count):
        for alias in ("plain", "mirror")[:: 1 if turn % 2 else -1]:
            took = measure(read, alias)
            if turn >= 0:
                taken[name][alias].append(took)
assert connections["mirror"].execute_wrappers and not connections["plain"].execute_wrappers
print(json.dumps(taken))
"""


def measure(engine: str, django: str, count: int, folder: Path) -> dict[str, dict[str, list[float]]]:
    """Bake a project for an engine and return the seconds of every read, by kind and alias."""
    python = ROOT / ".envs" / f"django-{django}" / "bin/python"
    if not python.exists():
        sys.exit(f"{python} is not there: `make test` makes the environments that this needs.")
    answers = {"project_slug": "bench", "primary_database": engine, "django_version": django}
    project = Path(cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder)))
    (project / "bench_settings.py").write_text(SETTINGS)
    make = ENGINES[engine]
    server = make(folder / "server") if make else None
    if server:
        server.start()
    try:
        url = server.create("upstream") if server else settings.sqlite(folder)("upstream")
        filling = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": url}
        commands.run([python, "-c", FILL], cwd=project, env=filling)
        production = {
            "DJANGO_SETTINGS_MODULE": "bench_settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": settings.sqlite(folder)("primary"),
            "MIRROR_DATABASE_URL": url,
        }
        output = commands.run([python, "-c", MEASURE, str(count)], cwd=project, env=production)
    finally:
        if server:
            server.stop()
    result: dict[str, dict[str, list[float]]] = json.loads(output.splitlines()[-1])
    return result


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reads", type=int, default=5000, help="of each kind; a tenth where each connects")
    parser.add_argument("--django", default="6.1")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    arguments = parser.parse_args()
    lines = [
        f"Medians of n reads on either alias, in microseconds. Django {arguments.django}.",
        "",
        "| engine | read | n | unguarded | guarded | ratio | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for engine in arguments.engine or ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            taken = measure(engine, arguments.django, arguments.reads, Path(folder))
        for read, times in taken.items():
            plain, guarded = (statistics.median(times[alias]) for alias in ("plain", "mirror"))
            target = "" if read.startswith("connect") else f"at most {TARGET}"
            cells = [engine, read, f"{len(times['mirror']):,}", f"{plain * 1e6:.1f}", f"{guarded * 1e6:.1f}"]
            lines.append(f"| {' | '.join(cells)} | {guarded / plain:.3f} | {target} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
