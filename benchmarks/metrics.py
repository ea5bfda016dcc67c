"""What `extras/metrics.py` and `extras/tracing.py` cost: the same reads with them and without.

Three aliases lead to one database, in one process with the settings of production: without either, with metrics, and
with tracing, whose spans the SDK collects and drops. They take turns read by read, each going first as often as the
others, so that other work of the machine affects all. A second process does the same with the metrics in a shared
folder. The result is 10th percentiles, which other work changes less than medians, and their ratios.
"""

import argparse
import json
import shutil
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
ALIASES = ("default", "metrics", "tracing")
#: The settings of production, and two more aliases for the same database.
SETTINGS = """
from config.settings import *

for alias in ("metrics", "tracing"):
    DATABASES[alias] = {**DATABASES["default"], "OPTIONS": {**DATABASES["default"].get("OPTIONS", {})}}
INSTALLED_APPS.append("databases.tracing.TracingConfig")
"""
MEASURE = """
import json, sys, time
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

class Nowhere(SpanExporter):
    def export(self, spans):
        return SpanExportResult.SUCCESS

trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(Nowhere()))

import django
django.setup()
from django.core.management import call_command
from django.db import connections
from databases import metrics, tracing
from notes.models import Note

call_command("migrate", verbosity=0)
Note.objects.using("default").all().delete()
Note.objects.using("default").bulk_create([Note(text=f"Note {number}") for number in range(2000)])
key = Note.objects.using("default").earliest("pk").pk
connections.close_all()
metrics.middleware(lambda request: None)
KEPT = {"default": None, "metrics": metrics._measure, "tracing": tracing._trace}
for alias, kept in KEPT.items():
    connections[alias].ensure_connection()
    wrappers = connections[alias].execute_wrappers
    wrappers[:] = [each for each in wrappers if each is kept]
    assert bool(wrappers) == bool(kept)

def get(alias):
    Note.objects.using(alias).get(pk=key)

def rows(alias):
    list(Note.objects.using(alias).order_by("pk")[:20])

def cursor(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT id, text FROM notes_note WHERE id = %s", [key])
        cursor.fetchall()

READS = {"`get()` by key": get, "list of 20": rows, "raw cursor": cursor}
aliases, taken = [*KEPT], {name: {alias: [] for alias in KEPT} for name in READS}
for name, read in READS.items():
    # The first reads are not measured: they fill caches, which a warm worker has filled already.
    for turn in range(-20, int(sys.argv[1])):
        first = turn % len(aliases)
        for alias in aliases[first:] + aliases[:first]:
            start = time.perf_counter()
            read(alias)
            took = time.perf_counter() - start
            if turn >= 0:
                taken[name][alias].append(took)
print(json.dumps({name: times for name, times in taken.items()}))
"""


def measure(engine: str, django: str, count: int, folder: Path) -> list[dict[str, dict[str, list[float]]]]:
    """Bake a project for an engine and return the seconds of every read, by kind and alias, of both processes."""
    python = ROOT / ".envs" / f"django-{django}" / "bin/python"
    if not python.exists():
        sys.exit(f"{python} is not there: `make test` makes the environments that this needs.")
    answers = {"project_slug": "bench", "primary_database": engine, "django_version": django}
    answers["secondary_database"] = "none"
    project = Path(cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder)))
    (project / "bench_settings.py").write_text(SETTINGS)
    for name in ("metrics", "tracing"):
        shutil.copy(ROOT / f"extras/{name}.py", project / "databases")
    make = ENGINES[engine]
    server = make(folder / "server") if make else None
    if server:
        server.start()
    try:
        env = {
            "DJANGO_SETTINGS_MODULE": "bench_settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": server.create("bench") if server else settings.sqlite(folder)("bench"),
        }
        shared = folder / "shared"
        shared.mkdir()
        return [
            json.loads(commands.run([python, "-c", MEASURE, str(count)], cwd=project, env=each).splitlines()[-1])
            for each in (env, {**env, "PROMETHEUS_MULTIPROC_DIR": str(shared)})
        ]
    finally:
        if server:
            server.stop()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reads", type=int, default=5000, help="of each kind")
    parser.add_argument("--django", default="6.1")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    arguments = parser.parse_args()
    lines = [
        f"10th percentiles of {arguments.reads:,} reads in microseconds, and ratios. Django {arguments.django}.",
        "",
        "| engine | read | without | metrics | metrics in a shared folder | tracing |",
        "|---|---|---|---|---|---|",
    ]
    for engine in arguments.engine or ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            alone, together = measure(engine, arguments.django, arguments.reads, Path(folder))
        for read, times in alone.items():
            own, shared = (
                {alias: statistics.quantiles(each[alias], n=10)[0] for alias in ALIASES}
                for each in (times, together[read])
            )
            ratios = [
                own["metrics"] / own["default"],
                shared["metrics"] / shared["default"],
                own["tracing"] / own["default"],
            ]
            cells = [engine, read, f"{own['default'] * 1e6:.1f}", *(f"{ratio:.3f}" for ratio in ratios)]
            lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
