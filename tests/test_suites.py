"""The bakes' own tests on real servers: the user's for every variant, the layer's for every pair of roles."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import variants
from tests.support.environments import Environment
from tests.support.own_postgres import running, wait_until
from tests.support.suites import MANAGE, PYTEST, make, passed
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
Modes = Callable[..., set[int]]


def runner(variant: Variant) -> tuple[str, ...]:
    """Return one of the two runners, in turn: each engine and each version of Django meets both."""
    is_first = variant["django_version"] == CHOICES["django_version"][0]
    return PYTEST if is_first != (variant["primary_database"] == "postgresql") else MANAGE


@pytest.fixture
def tests_passed(bake: Baker, environment: Environments, on_its_engine: Variables) -> Modes:
    """Run the tests of a variant with several commands, in turn, and return how many tests passed each time."""

    def run(variant: Variant, *ways: tuple[str, ...]) -> set[int]:
        project = bake(**variant)
        tools = environment(variant["django_version"])
        url = on_its_engine(variant)
        return {
            passed(make(project, tools, *way[1:], env=url) if way[0] == "make" else project.run(tools, *way, env=url))
            for way in ways
        }

    return run


# One process for each: the tests of the template run in more processes than the machine has cores.
@variants.each_role()
def test_the_suite_of_a_bake_passes(tests_passed: Modes, variant: Variant) -> None:
    assert tests_passed(variant, runner(variant))


@variants.each()
def test_the_users_tests_of_a_bake_pass(tests_passed: Modes, variant: Variant) -> None:
    assert tests_passed(variant, ("python", "-m", "pytest", "-p", "no:cacheprovider"))


# SQLite keeps nothing: its test databases are in memory.
@variants.everything(postgresql=["external"], mysql=["managed"])
def test_one_runner_uses_the_databases_that_the_other_kept(tests_passed: Modes, variant: Variant) -> None:
    ways = (*MANAGE, "--keepdb"), (*PYTEST, "--reuse-db")
    assert len(tests_passed(variant, *(ways[::-1] if variant["tenant_databases"] == "external" else ways))) == 1


# `make test` runs two processes.
@variants.everything(sqlite=["managed"], postgresql=["fleet"], mysql=["external"])
def test_the_suite_passes_in_parallel(tests_passed: Modes, variant: Variant) -> None:
    assert len(tests_passed(variant, (*MANAGE, "--parallel", "2"), ("make", "test"))) == 1


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
