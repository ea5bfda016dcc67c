"""The bakes' own suites: for every variant, on a real server of its engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import variants
from tests.support.environments import Environment
from tests.support.own_postgres import running
from tests.support.suites import MANAGE, PYTEST, passed
from tests.support.variants import CHOICES, DJANGO, Variant

Environments = Callable[[str], Environment]


def runner(variant: Variant) -> tuple[str, ...]:
    """Return one of the two runners: each combination of roles meets both, and each engine and version does."""
    is_first = variant["django_version"] == CHOICES["django_version"][0]
    return PYTEST if is_first != (variant["primary_database"] == "postgresql") else MANAGE


Modes = Callable[..., set[int]]


@pytest.fixture
def tests_passed(bake: Baker, environment: Environments, on_its_engine: Variables) -> Modes:
    """Run the suite of a variant in several ways, one after the other, and return how many tests passed each time."""

    def run(variant: Variant, *ways: tuple[str, ...]) -> set[int]:
        project = bake(**variant)
        tools = environment(variant["django_version"])
        url = on_its_engine(variant)
        return {passed(project.run(tools, *way, env=url)) for way in ways}

    return run


@variants.each()
def test_the_suite_of_a_bake_passes(tests_passed: Modes, variant: Variant) -> None:
    assert tests_passed(variant, runner(variant))


# On SQLite nothing is kept: its test databases are in memory.
@variants.everything(postgresql=["managed", "external"], mysql=["none"])
def test_databases_that_one_runner_keeps_the_other_takes_up(tests_passed: Modes, variant: Variant) -> None:
    ways = (*MANAGE, "--keepdb"), (*PYTEST, "--reuse-db")
    # Each kind of tenants has its runner that makes them.
    assert len(tests_passed(variant, *(ways if variant["tenant_databases"] == "managed" else ways[::-1]))) == 1


@variants.everything(sqlite=["managed"], postgresql=["external"], mysql=["none"])
def test_the_suite_passes_in_parallel(tests_passed: Modes, variant: Variant) -> None:
    assert len(tests_passed(variant, (*MANAGE, "--parallel", "2"), (*PYTEST, "-n", "2"))) == 1


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
    project = bake(primary_database="postgresql", tenant_databases="managed", django_version=DJANGO or "6.1")
    names = "SELECT datname FROM pg_database ORDER BY 1"
    with running(tmp_path / "server") as own:
        before = own.server.execute(names)
        url = {"TEST_DATABASE_URL": own.server.url_for_tests("site")}
        said = project.run(environment(project.answers["django_version"]), *way, env=url)
        assert passed(said)
        assert own.server.execute(names) == before
