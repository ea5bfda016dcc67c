"""Threads and tasks switch tenants thousands of times, with few connections, and never read another's row."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support import settings, stress, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.sessions import TOGETHER, Bounded

SEED, THREADS, TASKS = 20261124, 8, 120
#: How many tasks run at a time, as in a server with a limit; the others wait.
AT_A_TIME = 8
BOUND = 8
#: Mistakes that would show a tenant another tenant's rows: the file, the code, and what replaces it.
LEAKS = {
    "the pool gives an idle connection to any tenant": (
        "postgresql",
        "databases/tenants/pool.py",
        "found.key == key and found.is_alive()",
        "found.is_alive()",
    ),
    "the current tenant is a plain global": (
        "sqlite",
        "databases/tenants/context.py",
        'ContextVar("open_tenant_blocks", default=())',
        """type(
    "Shared",
    (),
    {"blocks": (), "get": lambda self: self.blocks, "set": lambda self, blocks: setattr(self, "blocks", blocks)},
)()""",
    ),
}
#: A mistake by which a process would have more sessions than it may have: the next one begins before one has ended.
IMPATIENCE = ("databases/tenants/leases.py", "while socket is not None and is_readable", "while False and is_readable")
Site = Callable[[str], "Stressed"]


class Stressed:
    """A project with few connections, and the user and the databases of its tenants if it is on PostgreSQL."""

    def __init__(self, project: Bake, tools: Environment, env: dict[str, str], bounded: Bounded | None) -> None:
        self.project = project
        self.tools = tools
        self.env = env
        self.bounded = bounded
        #: The most sessions at a time, as the server counts them.
        self.sessions: Counter[str] = Counter()

    def change(self, file: str, old: str, new: str) -> None:
        """Replace the only occurrence of a text."""
        assert self.project.read(file).count(old) == 1, old
        self.project.write(file, self.project.read(file).replace(old, new))

    def run(self, tenants: int, each: int, at_a_time: int = AT_A_TIME) -> dict[str, Any]:
        """Run the program, and return its counts. Arguments: see `stress.PROGRAM`."""
        output = self.output(tenants, each, at_a_time)
        counted: dict[str, Any] = json.loads(output.splitlines()[-1])
        return counted

    def output(self, tenants: int, each: int, at_a_time: int = AT_A_TIME, code: int | None = 0) -> str:
        """Run the program, and return its output. It must end with an exit code; `None` allows all."""
        self.project.write("stress.py", stress.PROGRAM)
        self.project.run(self.tools, "python", "manage.py", "migrate", "-v0", env=self.env)
        prefix = self.bounded.prefix if self.bounded else "tenant"
        owner = {"TENANT_DATABASE_URL": self.bounded.url_of_administrator} if self.bounded else {}
        words = ["-c", stress.MAKE, prefix, str(tenants)]
        self.project.run(self.tools, "python", *words, env={**self.env, **owner})
        words = ["stress.py", *map(str, (SEED, tenants, THREADS, TASKS, at_a_time, each))]
        if self.bounded:
            self.bounded.limit(BOUND)
            with self.bounded.counted() as self.sessions:
                output = self.project.run(self.tools, "python", *words, env=self.env, code=code)
        else:
            output = self.project.run(self.tools, "python", *words, env=self.env, code=code)
        print(output, "The most sessions at a time:", dict(self.sessions))
        return output


@pytest.fixture
def site(
    bake: Baker,
    environment: Callable[[str], Environment],
    tmp_path: Path,
    database_names: Iterator[str],
    request: pytest.FixtureRequest,
) -> Site:
    """Return what bakes a project with managed tenants on an engine."""

    def made(engine: str) -> Stressed:
        django = variants.DJANGO or "6.1"
        project = bake(
            primary_database=engine, secondary_database="none", tenant_databases="managed", django_version=django
        )
        env = {**settings.production(project, settings.sqlite(tmp_path)), "DJANGO_SETTINGS_MODULE": "config.settings"}
        bounded = None
        if engine == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            bounded = Bounded(postgres, f"stress_{next(database_names)}")
            env |= {"DATABASE_URL": postgres.create(f"{bounded.prefix}_site"), "TENANT_DATABASE_URL": bounded.url}
        stressed = Stressed(project, environment(django), env, bounded)
        stressed.change("config/databases.py", "TENANT_CONNECTIONS = 64", f"TENANT_CONNECTIONS = {BOUND}")
        # This is no test of speed: on a slow machine a connection may become free late.
        stressed.change("config/databases.py", "TENANT_CONNECTION_WAIT = 5", "TENANT_CONNECTION_WAIT = 120")
        return stressed

    return made


def check(counted: dict[str, Any], operations: int) -> None:
    """Check that nothing went wrong in at least so many operations."""
    assert counted["operations"] >= operations
    wrong = {name: counted[name] for name in ("mismatches", "errors", "waited_in_vain", "misplaced")}
    assert not any(wrong.values()), wrong
    assert 0 < counted["most_open"] <= BOUND


def test_a_hundred_thousand_reads_show_the_tenants_own_row(site: Site) -> None:
    check(site("sqlite").run(tenants=100, each=540), operations=100_000)


def test_tasks_without_a_limit_wait_for_connections(site: Site) -> None:
    check(site("sqlite").run(tenants=100, each=60, at_a_time=TASKS), operations=10_000)


def test_reads_on_a_server_show_the_tenants_own_row_and_sessions_are_bounded(site: Site) -> None:
    stressed = site("postgresql")
    check(stressed.run(tenants=24, each=120, at_a_time=TASKS), operations=20_000)
    assert 0 < stressed.sessions[TOGETHER] <= BOUND


@pytest.mark.parametrize("mistake", LEAKS)
def test_the_program_notices_a_row_of_another_tenant(site: Site, mistake: str) -> None:
    engine, *change = LEAKS[mistake]
    stressed = site(engine)
    stressed.change(*change)
    assert stressed.run(tenants=12, each=40)["mismatches"] > 0


def test_the_server_notices_a_session_too_many(site: Site) -> None:
    stressed = site("postgresql")
    stressed.change(*IMPATIENCE)
    assert "too many connections for role" in stressed.output(tenants=24, each=40, code=None)
