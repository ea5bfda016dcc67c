"""Fixtures: `bake` makes a project, `environment` brings Django and tools, `postgres` is a running server."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import environments, variants
from tests.support.bakes import Bake, check_answers
from tests.support.environments import Environment
from tests.support.locks import locked
from tests.support.postgres import Postgres

SHARED = "TEMPLATE_TESTS_SHARED_FOLDER"
NO_SKIPS = "TEMPLATE_TESTS_NO_SKIPS"

Baker = Callable[..., Bake]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make manifest`."""
    parser.addoption("--update-manifest", action="store_true", help="write manifest.json anew")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of this run share; workers of xdist inherit its name."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="template-tests-")
        # cookiecutter notes the last answers for `--replay`; those of whoever runs the tests are not ours to replace.
        notes = Path(os.environ[SHARED], "cookiecutter")
        notes.with_suffix(".yaml").write_text(f"replay_dir: {notes / 'replay'}\ncookiecutters_dir: {notes}\n")
        os.environ["COOKIECUTTER_CONFIG"] = str(notes.with_suffix(".yaml"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that workers started, once all of them are done."""
    if not hasattr(config, "workerinput"):
        shared = Path(os.environ.pop(SHARED))
        if (shared / "postgres").exists():
            Postgres(shared / "postgres").stop()
        shutil.rmtree(shared)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Make a failure of a skip where nothing may be skipped."""
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
    """Bake a project from answers, to be read only: `baked(tenant_databases="managed")`. Each is made once per run.

    Unknown keys and choices raise ValueError, and whatever cookiecutter raises goes on.
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
def bake(baked: Baker, tmp_path_factory: pytest.TempPathFactory) -> Baker:
    """Like `baked`, for tests that run or change the project: theirs alone."""
    return lambda **answers: baked(**answers).copy(tmp_path_factory.mktemp("bake"))


@pytest.fixture(scope="session")
def trees(baked: Baker) -> dict[str, dict[str, str]]:
    """The digest of each file of each variant, whatever this run is restricted to."""
    return {variants.name(variant): baked(**variant).digests() for variant in variants.every()}


@pytest.fixture(scope="session")
def environment(baked: Baker) -> Callable[[str], Environment]:
    """Return the virtual environment for a Django version; the test is skipped where no Python can run it."""
    found: dict[str, Environment] = {}

    def build(django: str) -> Environment:
        if django not in found:
            # These ask for everything that any variant asks for.
            largest = variants.select(secondary_database="mirror-and-replica", django_version=django)
            wanted = environments.requirements(baked(**variant).read("pyproject.toml") for variant in largest)
            try:
                found[django] = environments.build(django, wanted)
            except environments.NoPythonError as error:
                pytest.skip(str(error))
        return found[django]

    return build


@pytest.fixture(scope="session")
def postgres(shared: Path) -> Postgres:
    """A running PostgreSQL server."""
    server = Postgres(shared / "postgres")
    server.start()
    return server


@pytest.fixture(scope="session")
def database_names(worker_id: str) -> Iterator[str]:
    """Names for databases that no other test of this run uses."""
    return (f"{worker_id}_{number}" for number in itertools.count())
