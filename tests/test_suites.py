"""The bakes' own suites: on SQLite for every variant, on a real PostgreSQL for every variant that is made for it."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Baker
from tests.support import settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.variants import Variant

Environments = Callable[[str], Environment]

PYTEST = ("python", "-m", "pytest")
MANAGE = ("python", "manage.py", "test")


def passed(output: str) -> int:
    """Return how many tests passed; fails for none, and for a test that did anything but pass."""
    if ran := re.search(r"^Ran (\d+) tests? in", output, re.MULTILINE):
        assert "\nOK\n" in output, output
    else:
        ran = re.search(r"(\d+) passed", output)
        last = output.rstrip().rpartition("\n")[2]
        assert not re.search(r"\d+ (failed|error|skipped|xfailed|xpassed|deselected)", last), output
    assert ran is not None, output
    assert int(ran[1]) > 0, output
    return int(ran[1])


def server_for(bake: Bake, variant: Variant, request: pytest.FixtureRequest, names: Iterator[str]) -> dict[str, str]:
    """Return the environment that puts a bake's tests on its engine."""
    if variant["primary_database"] == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return {"TEST_DATABASE_URL": postgres.url(next(names))}
    return {"TEST_DATABASE_URL": settings.sqlite(bake.path)("tests")}


@variants.each()
def test_the_suite_of_a_bake_passes_on_sqlite(bake: Baker, environment: Environments, variant: Variant) -> None:
    project = bake(**variant)
    url = {"TEST_DATABASE_URL": settings.sqlite(project.path)("tests")}
    assert passed(project.run(environment(variant["django_version"]), *PYTEST, env=url))


@variants.each(primary_database="postgresql")
def test_the_suite_of_a_postgresql_bake_passes_on_postgresql(
    bake: Baker, environment: Environments, variant: Variant, postgres: Postgres, database_names: Iterator[str]
) -> None:
    project = bake(**variant)
    url = {"TEST_DATABASE_URL": postgres.url(next(database_names))}
    assert passed(project.run(environment(variant["django_version"]), *PYTEST, env=url))


@variants.each(primary_database="sqlite", django_version=variants.DJANGO or "5.2")
def test_manage_py_test_passes_as_well(bake: Baker, environment: Environments, variant: Variant) -> None:
    project = bake(**variant)
    url = {"TEST_DATABASE_URL": settings.sqlite(project.path)("tests")}
    assert passed(project.run(environment(variant["django_version"]), *MANAGE, env=url))


@variants.everything()
@pytest.mark.parametrize(
    "commands",
    [
        [(*MANAGE, "--keepdb"), (*MANAGE, "--keepdb"), (*PYTEST, "--reuse-db"), (*PYTEST, "--reuse-db")],
        [(*MANAGE, "--parallel", "2"), (*PYTEST, "-n", "2")],
    ],
    ids=["kept databases", "in parallel"],
)
def test_the_suite_passes_with_both_runners_alike(
    bake: Baker,
    environment: Environments,
    variant: Variant,
    commands: list[tuple[str, ...]],
    request: pytest.FixtureRequest,
    database_names: Iterator[str],
) -> None:
    project = bake(**variant)
    tools = environment(variant["django_version"])
    url = server_for(project, variant, request, database_names)
    # As many tests each time: what one runner keeps, the next one takes up, and neither sees more than the other.
    assert len({passed(project.run(tools, *command, env=url)) for command in commands}) == 1
