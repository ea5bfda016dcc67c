"""Threads and tasks change tenants a hundred thousand times, with few connections; no row is ever another tenant's."""

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
#: How many of the tasks are under way at a time, as in a server with a limit; the others wait.
AT_A_TIME = 8
BUDGET = 16
#: What would let tenants see one another's rows: in which file, and what would stand there in place of what.
MISTAKES = {
    "an idle connection is handed to whoever comes next": (
        "databases/tenants/budget.py",
        {
            "[each for each in self._idle if each.alias == alias]\n": "self._idle\n",
            " if each.tenant.place == tenant.place]": "]",
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
    """Run the program in a project, and return what it counted. Arguments: see `stress.PROGRAM`."""
    text = project.read("config/settings.py")
    assert "TENANT_CONNECTIONS = 64" in text
    project.write("config/settings.py", text.replace("TENANT_CONNECTIONS = 64", f"TENANT_CONNECTIONS = {BUDGET}"))
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
    """Return what makes a project with tenants on an engine."""
    django = variants.DJANGO or "6.1"
    return lambda engine: bake(
        primary_database=engine, secondary_database="none", tenant_databases="managed", django_version=django
    )


def test_a_hundred_thousand_rows_each_carry_their_tenants_mark(
    site: Callable[[str], Bake], environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    project = site("sqlite")
    tools = environment(project.answers["django_version"])
    counted = stressed(project, tools, settings.sqlite(tmp_path), tenants=100, each=480)
    assert counted["operations"] >= 100_000
    assert (counted["mismatches"], counted["errors"], counted["misplaced"]) == (0, 0, 0)
    # What is in a transaction, or a request's only connection, may exceed the budget; nothing else does.
    assert counted["most_open"] < 2 * BUDGET


def test_all_tasks_at_a_time_and_threads_beside_them_see_their_own_rows(
    site: Callable[[str], Bake], environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    project = site("sqlite")
    tools = environment(project.answers["django_version"])
    counted = stressed(project, tools, settings.sqlite(tmp_path), tenants=100, each=60, at_a_time=TASKS)
    assert counted["operations"] >= 10_000
    assert (counted["mismatches"], counted["errors"], counted["misplaced"]) == (0, 0, 0)
    # They were under way together: the budget is exceeded, rather than anybody kept waiting.
    assert counted["most_open"] > 2 * BUDGET


def test_rows_on_a_server_carry_their_tenants_mark(
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
def test_a_mistake_would_be_noticed(
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
