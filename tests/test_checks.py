"""What tools say about a bake, and what Django's own checks say about it in production."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import environments, settings, variants
from tests.support.environments import Environment
from tests.support.variants import Variant

Environments = Callable[[str], Environment]

# One process for several commands; an exit code other than 0 ends it.
COMMANDS = """
import sys
from django.core.management import execute_from_command_line
for words in sys.argv[1:]:
    execute_from_command_line(["manage.py", *words.split()])
"""


@variants.each()
def test_ruff_finds_nothing_and_would_format_nothing(baked: Baker, environment: Environments, variant: Variant) -> None:
    project = baked(**variant)
    tools = environment(variant["django_version"])
    project.run(tools, "ruff", "check", "--no-cache", ".")
    project.run(tools, "ruff", "format", "--no-cache", "--check", ".")


# What engines and versions change is config/settings.py alone, or no Python at all: see `_shared_paths`.
@variants.each_role()
def test_mypy_finds_nothing(
    baked: Baker, environment: Environments, variant: Variant, shared: Path, worker_id: str
) -> None:
    project = baked(**variant)
    tools = environment(variant["django_version"])
    # Without a URL the settings would start a server. A cache per process: mypy does not lock it.
    url = {"TEST_DATABASE_URL": settings.sqlite(project.path)("mypy"), "PYTHONDONTWRITEBYTECODE": "1"}
    cache = shared / f"mypy-cache-{variant['django_version']}-{worker_id}"
    project.run(tools, "mypy", f"--cache-dir={cache}", "config", "databases", env=url)


@variants.each()
def test_djangos_checks_pass_in_production_and_no_migration_is_missing(
    bake: Baker, environment: Environments, variant: Variant
) -> None:
    project = bake(**variant)
    tools = environment(variant["django_version"])
    # On SQLite for every engine: Django asks a MySQL server for its features in order to check models.
    url = settings.sqlite(project.path)
    output = project.run(
        tools,
        *("python", "-W", "ignore::RuntimeWarning", "-c", COMMANDS),
        *("check", "check --deploy --fail-level ERROR", "makemigrations --check --dry-run"),
        env={**settings.production(project, url), "DJANGO_SETTINGS_MODULE": "config.settings"},
    )
    assert "System check identified no issues (0 silenced).\n" in output
    assert "No changes detected\n" in output


@variants.everything(postgresql=["managed"], mysql=["managed"])
def test_make_check_does_not_complain_that_test_databases_are_not_there(
    baked: Baker, environment: Environments, on_its_engine: Variables, variant: Variant
) -> None:
    project = baked(**variant)
    told = project.read("Makefile").replace("\\\n", "")
    (line,) = re.findall(r"^\t\$\(BIN\)/(python .*makemigrations.*)$", told, re.MULTILINE)
    env = {**on_its_engine(variant), "PYTHONDONTWRITEBYTECODE": "1"}
    output = project.run(environment(variant["django_version"]), *shlex.split(line), env=env)
    assert "Warning" not in output
    assert "No changes detected\n" in output


@variants.each(primary_database="mysql")
def test_a_mysql_bake_loads_its_driver(baked: Baker, environment: Environments, variant: Variant) -> None:
    project = baked(**variant)
    tools = environment(variant["django_version"])
    if not tools.has_mysqlclient:
        pytest.skip(environments.NO_MYSQLCLIENT)
    output = project.run(
        tools,
        *(
            "python",
            "-B",
            "-c",
            "from django.db import connections; print({c.Database.__name__ for c in connections.all()})",
        ),
        env={**settings.production(project, settings.mysql), "DJANGO_SETTINGS_MODULE": "config.settings"},
    )
    assert output == "{'MySQLdb'}\n"
