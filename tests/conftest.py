"""Fixtures: `bake` makes a project, `environment` brings Django and tools, `postgres` and others are servers."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support import environments, settings, variants
from tests.support.bakes import Bake, check_answers
from tests.support.databases import DatabaseServer, NotInstalledError
from tests.support.environments import Environment
from tests.support.locks import locked
from tests.support.mariadb import Mariadb
from tests.support.own_postgres import OwnPostgres
from tests.support.postgres import Postgres
from tests.support.replica_pages import PREPARE
from tests.support.standbys import Standby, replicated
from tests.support.system_postgres import SystemPostgres
from tests.support.variants import DJANGO, Variant

SHARED = "TEMPLATE_TESTS_SHARED_FOLDER"
NO_SKIPS = "TEMPLATE_TESTS_NO_SKIPS"

SERVERS: tuple[type[DatabaseServer], ...] = (Postgres, SystemPostgres, Mariadb)

Baker = Callable[..., Bake]
#: From a variant, the environment variables of its tests.
Variables = Callable[[Variant], dict[str, str]]
Server = TypeVar("Server", bound=DatabaseServer)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make refusals`, `make reads` and `make recording`."""
    parser.addoption("--update-refusals", action="store_true", help="regenerate the table of refusals")
    parser.addoption("--update-reads", action="store_true", help="regenerate the table of reads")
    parser.addoption("--update-recording", action="store_true", help="draw the pictures of README.md again")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of this run share; workers of xdist inherit its name."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="template-tests-")
        # cookiecutter keeps the last answers for `--replay`: do not overwrite the answers of this machine's user.
        notes = Path(os.environ[SHARED], "cookiecutter")
        notes.with_suffix(".yaml").write_text(f"replay_dir: {notes / 'replay'}\ncookiecutters_dir: {notes}\n")
        os.environ["COOKIECUTTER_CONFIG"] = str(notes.with_suffix(".yaml"))
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts background commands so. Tests end servers as Ctrl-C does, and these would ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that workers started, once all of them are done."""
    if not hasattr(config, "workerinput"):
        shared = Path(os.environ.pop(SHARED))
        for server in SERVERS:
            if (shared / server.__name__).exists():
                server(shared / server.__name__).stop()
        shutil.rmtree(shared)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Turn a skip into a failure where nothing may be skipped."""
    report: pytest.TestReport = yield
    if report.skipped and os.environ.get(NO_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"{NO_SKIPS} is set, and this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder that all processes of this run share."""
    return Path(os.environ[SHARED])


@pytest.fixture(scope="session")
def baked(cookies_session: Any, shared: Path) -> Baker:
    """Bake a project from answers, once per run: `baked(tenant_databases="managed")`. Tests must not change it.

    Raises ValueError for an unknown key or choice, and whatever cookiecutter raises.
    """

    def once(**answers: str) -> Bake:
        check_answers(answers)
        folder = shared / "baked" / hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()
        with locked(folder.with_suffix(".lock")):
            if not folder.exists():
                result = cookies_session.bake(extra_context=answers)
                if result.exception:
                    raise result.exception
                made = result.project_path.parent
                (made / "answers.json").write_text(json.dumps(result.context))
                shutil.move(made, folder)
        rendered = json.loads((folder / "answers.json").read_text())
        return Bake(folder / rendered["project_slug"], rendered)

    return once


@pytest.fixture
def bake(baked: Baker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baker]:
    """Like `baked`, for tests that change the project: each gets a copy, which is deleted afterwards."""
    folders = []

    def copy(**answers: str) -> Bake:
        folders.append(tmp_path_factory.mktemp("bake"))
        return baked(**answers).copy(folders[-1])

    yield copy
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def environment(baked: Baker) -> Callable[[str], Environment]:
    """Return the virtual environment for a Django version; the test is skipped where no Python can run it."""
    found: dict[str, Environment] = {}

    def build(django: str) -> Environment:
        if django not in found:
            # These require everything that any variant requires.
            largest = variants.select(secondary_database="read-only-mirror", read_replicas="yes", django_version=django)
            wanted = environments.requirements(baked(**variant).read("pyproject.toml") for variant in largest)
            try:
                found[django] = environments.build(django, [*wanted, *environments.EXTRAS])
            except environments.NoPythonError as error:
                pytest.skip(str(error))
        return found[django]

    return build


def started(server: type[Server], shared: Path) -> Server:
    """Return a running server; the test is skipped where it is not installed."""
    try:
        found = server(shared / server.__name__)
    except NotInstalledError as error:
        pytest.skip(str(error))
    found.start()
    return found


@pytest.fixture(scope="session")
def postgres(shared: Path) -> Postgres:
    """A running PostgreSQL server, the one that projects start."""
    return started(Postgres, shared)


@pytest.fixture(scope="session")
def system_postgres(shared: Path) -> SystemPostgres:
    """A running PostgreSQL server of the operating system: another one, and an older version."""
    return started(SystemPostgres, shared)


@pytest.fixture(scope="session")
def mariadb(shared: Path) -> Mariadb:
    """A running MariaDB server."""
    return started(Mariadb, shared)


@pytest.fixture(scope="session")
def database_names(worker_id: str) -> Iterator[str]:
    """Names for databases that no other test of this run uses."""
    return (f"{worker_id}_{number}" for number in itertools.count())


@pytest.fixture
def on_its_engine(
    environment: Callable[[str], Environment],
    database_names: Iterator[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Variables:
    """Return a function from a variant to the environment variables that put its tests on a server of its engine."""
    servers = {"postgresql": "postgres", "mysql": "mariadb"}

    def variables(variant: Variant) -> dict[str, str]:
        engine = variant["primary_database"]
        if engine == "sqlite":
            return {"TEST_DATABASE_URL": settings.sqlite(tmp_path)("tests")}
        if engine == "mysql" and not environment(variant["django_version"]).has_mysqlclient:
            pytest.skip(environments.NO_MYSQLCLIENT)
        server: DatabaseServer = request.getfixturevalue(servers[engine])
        return {"TEST_DATABASE_URL": server.url_for_tests(next(database_names))}

    return variables


@pytest.fixture
def replicas() -> Iterator[tuple[OwnPostgres, list[Standby]]]:
    """A primary and two standbys."""
    with replicated(2) as made:
        yield made


@pytest.fixture
def replica_project(bake: Baker) -> Bake:
    """A project that reads from replicas."""
    return bake(
        primary_database="postgresql",
        secondary_database="none",
        read_replicas="yes",
        tenant_databases="none",
        django_version=DJANGO or "6.1",
    )


@pytest.fixture
def replica_env(
    replica_project: Bake,
    environment: Callable[[str], Environment],
    replicas: tuple[OwnPostgres, list[Standby]],
) -> dict[str, str]:
    """The environment of production, after the primary was migrated and got the rows that pages read."""
    project, (primary, standbys) = replica_project, replicas
    # The project's user is an ordinary one, who owns the database.
    primary.server.execute("CREATE DATABASE site OWNER tester")
    env = {
        **settings.production(project, lambda name: primary.server.url_for_tests("site")),
        "REPLICA_DATABASE_URLS": ",".join(standby.server.url_for_tests("site") for standby in standbys),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    tools = environment(project.answers["django_version"])
    project.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    project.run(tools, "python", "-c", PREPARE, env=env)
    for standby in standbys:
        standby.catch_up(primary)
    return env
