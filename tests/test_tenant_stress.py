"""Threads and tasks switch tenants a hundred thousand times, with few connections, and never read another's row."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support import settings, stress, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.postgres import Postgres

SEED, THREADS, TASKS = 20261124, 8, 200
#: How many tasks run at a time, as in a server with a limit; the others wait.
AT_A_TIME = 8
BUDGET = 16
#: Mistakes that would show a tenant another tenant's rows: the file, the code, and what replaces it.
MISTAKES = {
    "an idle connection is given to any tenant": (
        "databases/tenants/budget.py",
        {
            "[each for each in self._idle if each.alias == alias]\n": "self._idle\n",
            " if each.tenant.connection_key == tenant.connection_key]": "]",
        },
    ),
    "the current tenant is a plain global": (
        "databases/tenants/context.py",
        {
            'ContextVar("open_tenant_blocks", default=())': """type(
    "Shared",
    (),
    {"blocks": (), "get": lambda self: self.blocks, "set": lambda self, blocks: setattr(self, "blocks", blocks)},
)()""",
        },
    ),
}


def stressed(
    project: Bake,
    tools: Environment,
    url: Callable[[str], str],
    tenants: int,
    each: int,
    at_a_time: int = AT_A_TIME,
) -> dict[str, Any]:
    """Run the program in a project, and return its counts. Arguments: see `stress.PROGRAM`."""
    text = project.read("config/databases.py")
    assert "TENANT_CONNECTIONS = 64" in text
    project.write("config/databases.py", text.replace("TENANT_CONNECTIONS = 64", f"TENANT_CONNECTIONS = {BUDGET}"))
    project.write("stress.py", stress.PROGRAM)
    env = {**settings.production(project, url), "DJANGO_SETTINGS_MODULE": "config.settings"}
    project.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    words = map(str, (SEED, tenants, THREADS, TASKS, at_a_time, each))
    output = project.run(tools, "python", "stress.py", *words, env=env)
    print(output)
    counted: dict[str, Any] = json.loads(output.splitlines()[-1])
    return counted


@pytest.fixture
def site(bake: Baker) -> Callable[[str], Bake]:
    """Return what bakes a project with managed tenants on an engine."""
    django = variants.DJANGO or "6.1"
    return lambda engine: bake(
        primary_database=engine, secondary_database="none", tenant_databases="managed", django_version=django
    )


def test_a_hundred_thousand_reads_show_the_tenants_own_row(
    site: Callable[[str], Bake], environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    project = site("sqlite")
    tools = environment(project.answers["django_version"])
    counted = stressed(project, tools, settings.sqlite(tmp_path), tenants=100, each=480)
    assert counted["operations"] >= 100_000
    assert (counted["mismatches"], counted["errors"], counted["misplaced"]) == (0, 0, 0)
    # Only connections in a transaction, and a request's only connection, may exceed the budget.
    assert counted["most_open"] < 2 * BUDGET


def test_tasks_without_a_limit_and_threads_read_their_own_rows(
    site: Callable[[str], Bake], environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    project = site("sqlite")
    tools = environment(project.answers["django_version"])
    counted = stressed(project, tools, settings.sqlite(tmp_path), tenants=100, each=60, at_a_time=TASKS)
    assert counted["operations"] >= 10_000
    assert (counted["mismatches"], counted["errors"], counted["misplaced"]) == (0, 0, 0)
    # All tasks ran together: the budget is exceeded, and no task waits.
    assert counted["most_open"] > 2 * BUDGET


def test_reads_on_a_server_show_the_tenants_own_row(
    site: Callable[[str], Bake],
    environment: Callable[[str], Environment],
    postgres: Postgres,
    database_names: Iterator[str],
) -> None:
    project = site("postgresql")
    tools = environment(project.answers["django_version"])
    prefix = next(database_names)
    postgres.create(f"{prefix}_site")
    url = lambda name: postgres.url(f"{prefix}_{name}")  # noqa: E731
    counted = stressed(project, tools, url, tenants=24, each=60)
    assert counted["operations"] >= 5000
    assert (counted["mismatches"], counted["errors"], counted["misplaced"]) == (0, 0, 0)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_program_notices_a_mistake(
    site: Callable[[str], Bake], environment: Callable[[str], Environment], tmp_path: Path, mistake: str
) -> None:
    project = site("sqlite")
    file, changes = MISTAKES[mistake]
    for old, new in changes.items():
        assert project.read(file).count(old) == 1, old
        project.write(file, project.read(file).replace(old, new))
    tools = environment(project.answers["django_version"])
    counted = stressed(project, tools, settings.sqlite(tmp_path), tenants=8, each=40)
    assert counted["mismatches"] > 0
