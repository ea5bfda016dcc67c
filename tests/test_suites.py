"""The bakes' own tests on real servers: the user's for every variant, the layer's for every combination of roles."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import variants
from tests.support.environments import Environment
from tests.support.own_postgres import running
from tests.support.suites import MANAGE, PYTEST, make, passed
from tests.support.variants import CHOICES, DJANGO, Variant

Environments = Callable[[str], Environment]
Modes = Callable[..., set[int]]


def runner(variant: Variant) -> tuple[str, ...]:
    """Return one of the two runners: each combination of roles meets both, and each engine and version does."""
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
@variants.everything(postgresql=["fleet", "external"], mysql=["managed"])
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
def test_a_run_leaves_no_database_behind(
    bake: Baker, environment: Environments, tmp_path: Path, way: tuple[str, ...]
) -> None:
    project = bake(primary_database="postgresql", tenant_databases="fleet", django_version=DJANGO or "6.1")
    names = "SELECT datname FROM pg_database ORDER BY 1"
    with running(tmp_path / "server") as own:
        before = own.server.execute(names)
        url = {"TEST_DATABASE_URL": own.server.url_for_tests("site")}
        said = project.run(environment(project.answers["django_version"]), *way, env=url)
        assert passed(said)
        assert own.server.execute(names) == before
