"""The bakes' own tests on real servers: the user's for every variant, the layer's for every pair of roles."""

import itertools
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import variants, zygotes
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import running, wait_until
from tests.support.suites import MANAGE, PYTEST, make, passed, remove_examples
from tests.support.variants import CHOICES, DJANGO, Variant

#: A test that kills its run.
KILLED = """
import os, signal
from django.test import TestCase

class KillTests(TestCase):
    def test_kill(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""

Environments = Callable[[str], Environment]
Passed = Callable[[Bake, tuple[str, ...]], int]

#: `make test` runs two processes, which the first way does too: on MySQL, Django copies databases for it.
WAYS = (*MANAGE, "--parallel", "2"), ("make", "test"), PYTEST, MANAGE


def in_turn() -> list[tuple[Variant, tuple[str, ...]]]:
    """Return every pair of roles, each with one way to run its tests: each engine meets each way."""
    of_engines = [
        [variant for variant in variants.pairs_of_roles() if variant["primary_database"] == engine]
        for engine in CHOICES["primary_database"]
    ]
    return [each for found in of_engines for each in zip(found, itertools.cycle(WAYS))]


@pytest.fixture
def tests_passed(environment: Environments, on_its_engine: Variables) -> Passed:
    """Run the tests of a project in one way, and return how many passed."""

    def run(project: Bake, way: tuple[str, ...]) -> int:
        tools = environment(project.answers["django_version"])
        url = on_its_engine(project.answers)
        return passed(
            make(project, tools, *way[1:], env=url) if way[0] == "make" else project.run(tools, *way, env=url)
        )

    return run


@pytest.mark.parametrize(
    ("number", "variant", "way"),
    [pytest.param(number, *each, id=variants.name(each[0])) for number, each in enumerate(in_turn())],
)
def test_the_suite_of_a_bake_passes(
    bake: Baker,
    environment: Environments,
    tests_passed: Passed,
    number: int,
    variant: Variant,
    way: tuple[str, ...],
) -> None:
    project = bake(**variant)
    # As users do, in every other project. The layer's tests must not notice.
    if number % 2:
        remove_examples(project, environment(variant["django_version"]))
    assert tests_passed(project, way)


@variants.each()
def test_the_users_tests_of_a_bake_pass(
    bake: Baker, environment: Environments, on_its_engine: Variables, variant: Variant
) -> None:
    tools, words = environment(variant["django_version"]), ("-m", "pytest", "-p", "no:cacheprovider")
    assert passed(zygotes.python(bake(**variant), tools, *words, env=on_its_engine(variant)))


# On MySQL: elsewhere no run keeps its databases, but templates.
@variants.everything(mysql=["managed"])
def test_one_runner_uses_the_databases_that_the_other_kept(bake: Baker, tests_passed: Passed, variant: Variant) -> None:
    project = bake(**variant)
    first = tests_passed(project, (*MANAGE, "databases.tenants", "--keepdb"))
    assert tests_passed(project, (*PYTEST, "databases/tenants", "--reuse-db")) == first


@pytest.mark.parametrize(
    "way",
    [
        (*MANAGE, "databases.tenants.tests.test_cloning", "--parallel", "2"),
        (*PYTEST, "databases/tenants/tests/test_cloning.py", "-n", "2"),
    ],
    ids=["manage", "pytest"],
)
def test_a_run_leaves_templates_only_and_the_next_one_uses_them(
    bake: Baker, environment: Environments, tmp_path: Path, way: tuple[str, ...]
) -> None:
    project = bake(primary_database="postgresql", tenant_databases="fleet", django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    names = "SELECT oid, datname FROM pg_database ORDER BY 2"
    with running(tmp_path / "server") as own:
        before = own.server.execute(names)
        url = {"TEST_DATABASE_URL": own.server.url_for_tests("site")}

        def left() -> list[str]:
            return [str(row[1]) for row in own.server.execute(names) if row not in before]

        def only_templates_are_left() -> bool:
            return all(re.fullmatch(r"test_[0-9a-f]{8}_(primary|tenant)_t[0-9a-f]{10}", name) for name in left())

        assert passed(project.run(tools, *way, env=url))
        # Another process drops the databases of the run.
        wait_until(only_templates_are_left)
        templates = own.server.execute(names)
        assert len(left()) == 2
        assert passed(project.run(tools, *way, env=url))
        wait_until(only_templates_are_left)
        assert own.server.execute(names) == templates


def test_a_killed_run_does_not_disturb_the_next_one(bake: Baker, environment: Environments, tmp_path: Path) -> None:
    project = bake(primary_database="postgresql", tenant_databases="managed", django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    project.write("tests/test_kill.py", KILLED)
    with running(tmp_path / "server") as own:
        url = {"TEST_DATABASE_URL": own.server.url_for_tests("site")}
        project.run(tools, *MANAGE, "tests.test_kill", env=url, code=-signal.SIGKILL)
        assert own.server.execute("SELECT 1 FROM pg_database WHERE datname ~ '_r[0-9a-f]{8}$'")
        assert passed(project.run(tools, *MANAGE, "databases.tenants.tests.test_cloning", env=url))
        wait_until(lambda: not own.server.execute("SELECT 1 FROM pg_database WHERE datname ~ '_r[0-9a-f]{8}$'"))
