"""What tools and Django's own checks say about a bake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import environments, settings, variants, zygotes
from tests.support.environments import Environment
from tests.support.suites import make
from tests.support.variants import Variant

Environments = Callable[[str], Environment]

# One process for several commands. An exit code other than 0 ends it.
COMMANDS = """
import sys, warnings
from django.core.management import execute_from_command_line
warnings.simplefilter("ignore", RuntimeWarning)
for words in sys.argv[1:]:
    execute_from_command_line(["manage.py", *words.split()])
"""
DRIVERS = "from django.db import connections; print({each.Database.__name__ for each in connections.all()})"
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


@variants.each()
def test_ruff_finds_nothing_and_would_format_nothing(baked: Baker, environment: Environments, variant: Variant) -> None:
    project = baked(**variant)
    tools = environment(variant["django_version"])
    project.run(tools, "ruff", "check", "--no-cache", ".")
    project.run(tools, "ruff", "format", "--no-cache", "--check", ".")


@variants.each()
def test_django_checks_pass_in_production_and_no_migration_is_missing(
    baked: Baker, environment: Environments, tmp_path: Path, variant: Variant
) -> None:
    project = baked(**variant)
    # On SQLite for every engine: Django asks a MySQL server for its features in order to check models.
    url = settings.sqlite(tmp_path)
    output = zygotes.python(
        project,
        environment(variant["django_version"]),
        *("-c", COMMANDS),
        *("check", "check --deploy", "makemigrations --check --dry-run"),
        env={
            **settings.production(project, url),
            **NO_BYTECODE,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECURE_SSL_REDIRECT": "on",
        },
    )
    assert output.count("System check identified no issues (0 silenced).\n") == 2, output
    assert "WARNING" not in output.upper(), output
    assert "No changes detected\n" in output


# Of the files that mypy reads, answers change `config/databases.py` and few others.
@variants.covering()
def test_make_check_passes_without_warnings(
    baked: Baker, environment: Environments, on_its_engine: Variables, variant: Variant
) -> None:
    env = {**on_its_engine(variant), **NO_BYTECODE}
    output = make(baked(**variant), environment(variant["django_version"]), "check", env=env)
    assert "Warning" not in output
    assert "No changes detected\n" in output


@variants.each(primary_database="mysql")
def test_a_mysql_bake_loads_its_driver(baked: Baker, environment: Environments, variant: Variant) -> None:
    project = baked(**variant)
    tools = environment(variant["django_version"])
    if not tools.has_mysqlclient:
        pytest.skip(environments.NO_MYSQLCLIENT)
    env = {**settings.production(project, settings.mysql), **NO_BYTECODE, "DJANGO_SETTINGS_MODULE": "config.settings"}
    assert project.run(tools, "python", "-c", DRIVERS, env=env) == "{'MySQLdb'}\n"
