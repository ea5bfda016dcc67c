"""Tries other packages in a project with every role: `make compatibility` writes `docs/reference/compatibility.md`.

Each case in `cases/` gets a copy of the project, to which the runner adds its lines. There its tests run on real test
databases; pytest's output is shown if one fails. To try one more package, add a file to `cases/`: `table.py` says what
it holds. `make compatibility ARGS="axes channels"` runs two cases and leaves the document alone.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compatibility.table import DOCUMENT, NEWEST, Case, Versions, cases, put_into
from tests.support import commands, environments
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.template import ROOT

ANSWERS = {
    "primary_database": "postgresql",
    "secondary_database": "mirror-and-writable",
    "read_replicas": "yes",
    "tenant_databases": "managed",
}


def main() -> None:
    """Run the chosen cases. Exits 1 if one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("case", nargs="*", help="the name of a file in cases/; without one, all")
    parser.add_argument("--keep", type=Path, help="a folder for the projects, which stay there")
    words = parser.parse_args()
    found = {case.name: case for case in cases()}
    chosen = [found[name] if name in found else parser.error(f"there is no case {name!r}") for name in words.case]
    wrong = [problem for case in found.values() for problem in case.problems()]
    if wrong:
        sys.exit("\n".join(wrong))
    # Otherwise `kill` would leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "server")
        server.start()
        try:
            versions = run_all(chosen or [*found.values()], words.keep or Path(folder), server)
        finally:
            server.stop()
    if not chosen:
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(put_into(document, [*found.values()], versions), encoding="utf-8")
        print(f"Wrote {DOCUMENT.relative_to(ROOT)}.")


def run_all(chosen: list[Case], folder: Path, server: Postgres) -> Versions:
    """Run cases one after the other, and return the versions of their packages. Exits 1 if one fails."""
    failed: list[str] = []
    versions: Versions = {}
    for django in sorted({case.django for case in chosen}):
        project = bake(folder / f"django-{django}", django)
        print(f"Installing the packages for Django {django} …", flush=True)
        try:
            tools = install(project, [case for case in cases() if case.django == django])
        except (AssertionError, environments.NoPythonError) as error:
            sys.exit(str(error))
        versions |= installed(tools)
        for case in [each for each in chosen if each.django == django]:
            began = time.monotonic()
            print(f"{case.package} {versions[case.package]} … ", end="", flush=True)
            try:
                shutil.rmtree(folder / case.name, ignore_errors=True)
                run(case, project.copy(folder / case.name), tools, server)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed.append(case.name)
                print(f"FAILED\n{error}", flush=True)
            else:
                print(f"as its file says ({time.monotonic() - began:.0f} s)", flush=True)
    if failed:
        sys.exit(f"Not as their files say: {', '.join(failed)}. The document is unchanged.")
    return versions


def bake(folder: Path, django: str) -> Bake:
    """Return a new project with every role."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [f"{key}={answer}" for key, answer in {**ANSWERS, "django_version": django}.items()]
    commands.run([sys.executable, ROOT / "bake.py", "--no-input", "-o", folder, *words], cwd=ROOT)
    return Bake(folder / "my_project", ANSWERS)


def install(project: Bake, found: list[Case]) -> Environment:
    """Return an environment with the newest packages of these cases that work together."""
    django, wanted = found[0].django, environments.requirements([project.read("pyproject.toml")])
    environment = environments.make(f"compatibility-{django}", environments.python_for(django), wanted)
    packages = {package for case in found for package in case.packages}
    environments.install(environment, ["--upgrade", *wanted, *sorted(packages)])
    return environment


def installed(tools: Environment) -> Versions:
    """Return the versions of all packages of an environment."""
    listed = commands.run([tools.python, "-m", "pip", "list", "--format=json"], cwd=ROOT)
    line = next(line for line in listed.splitlines() if line.startswith("["))
    return {each["name"].lower().replace("_", "-"): each["version"] for each in json.loads(line)}


def run(case: Case, project: Bake, tools: Environment, server: Postgres) -> None:
    """Add the lines of a case to a project, and run its tests there. Raises AssertionError with pytest's output."""
    folder = project.path / "compatibility"
    (folder / "cases").mkdir(parents=True)
    for file in ("__init__.py", "support.py", "cases/__init__.py", f"cases/{case.name}.py"):
        shutil.copy(Path(__file__).parent / file, folder / file)
    for file, lines in {"config/settings.py": case.settings, **case.files}.items():
        add(project, file, lines)
    if case.has_urls:
        add(project, "config/settings.py", f'ROOT_URLCONF = "compatibility.cases.{case.name}"\n')
    first = [name for name in case.classes if not (case.in_secondary and name == "Secondary")]
    test(case, first, project, tools, server)
    if case.in_secondary:
        lines = f"APP_DATABASES |= dict.fromkeys({case.in_secondary}, 'secondary')\n"
        add(project, "config/settings.py", f"from .databases import APP_DATABASES\n{lines}")
        test(case, ["Secondary"], project, tools, server)


def add(project: Bake, file: str, lines: str) -> None:
    """Add lines to the end of a file, which need not exist."""
    path = project.path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as opened:
        opened.write(f"\n{lines}")


def test(case: Case, classes: list[str], project: Bake, tools: Environment, server: Postgres) -> None:
    """Write missing migrations, which runs Django's checks too, and run test classes of a case."""
    url = {"TEST_DATABASE_URL": server.url_for_tests("tests")}
    quiet = ["-W", "ignore:Got an error checking:RuntimeWarning"]
    project.run(tools, "python", *quiet, "manage.py", "makemigrations", "--settings=config.settings_test", env=url)
    ids = [f"compatibility/cases/{case.name}.py::{name}" for name in classes]
    project.run(tools, "python", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *ids, env=url)


if __name__ == "__main__":
    print(f"A project with every role, Django {NEWEST} where the package supports it.")
    main()
