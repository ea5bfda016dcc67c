"""Runs what READMEs and workflows tell people to run, as they would: on a bare machine, with packages from PyPI."""

import ast
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Baker
from tests.support import commands, documents, environments, servers, variants
from tests.support.bakes import Bake
from tests.support.postgres import Postgres
from tests.support.template import EMITTED, ROOT, copy_template
from tests.support.variants import Variant

TENANTS = ("aperture-science-labs", "vavatch-corp-campus")
#: The default answers, and three that together have every role and every kind of tenants.
CHOSEN = [
    variants.select()[0],
    variants.select(
        primary_database="sqlite",
        secondary_database="mirror-and-writable",
        read_replicas="yes",
        tenant_databases="managed",
    )[-1],
    variants.select(
        primary_database="postgresql",
        secondary_database="mirror-and-writable",
        read_replicas="no",
        tenant_databases="external",
    )[0],
    variants.select(primary_database="postgresql", secondary_database="none", tenant_databases="fleet")[-1],
]
#: Files and folders that `databases/README.md` names without their role.
ANY_ROLES = {"router.py", "middleware.py", "settings.py", "settings_test.py", "migrations/"}
#: What reads a variable of the environment.
READS = re.compile(r"env\.(str|bool|int|list|email_url)|os\.environ\.get")
#: Runs the Python of a README with the names that its reader has at hand.
RUN_BLOCKS = """
import json, sys
import django
django.setup()
from django.apps import apps
from django.test import TestCase
names = {model.__name__: model for model in apps.get_models()} | {"TestCase": TestCase, "__name__": "notes.readme"}
for block in json.loads(sys.argv[1]):
    exec(block, names)
"""


@pytest.mark.parametrize("variant", CHOSEN, ids=variants.name)
def test_what_a_project_tells_people_to_run_works(bake: Baker, variant: Variant) -> None:
    try:
        python = environments.python_for(variant["django_version"])
    except environments.NoPythonError as error:
        pytest.skip(str(error))
    project = bake(**variant, project_name="O'Brien & 🎉 {{ 7*7 }}")
    # As in an activated environment.
    env = {"PYTHON": python, "PATH": f"{project.path / '.venv/bin'}:{commands.clean_environment()['PATH']}"}
    steps = documents.steps(project.read(".github/workflows/ci.yml"))
    told = documents.commands(project.read("README.md"))
    with embedded_server(project):
        for step in steps:
            commands.run(["bash", "-e", "-c", step], cwd=project.path, env=env)
        told.remove("make run")
        told.remove("make remove-examples")
        told.remove("make change")
        with servers.running(project, env) as server:
            check_pages(project, server)
        for command in told:
            if command == "python manage.py create_tenant acme --database acme_data":
                make_acme_data(project)
            if command not in [step.removeprefix(".venv/bin/") for step in steps]:
                commands.run(["bash", "-e", "-c", command], cwd=project.path, env=env)
        blocks = json.dumps(documents.blocks(project.read("README.md"), "python"))
        settings = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        commands.run(["python", "-c", RUN_BLOCKS, blocks], cwd=project.path, env=settings)
        # Last: what the README shows of the example apps is run before.
        commands.run(["make", "remove-examples"], cwd=project.path, env=env)
        commands.run(["python", "manage.py", "check"], cwd=project.path, env=env)


def check_pages(project: Bake, server: servers.Server) -> None:
    """Check that the pages show rows from every database."""
    home = server.page("localhost", "/")
    if project.answers["__secondary"]:
        # It is for staff.
        assert "Log in" in server.page("localhost", "/events/")
    assert "<title>O&#x27;Brien &amp; 🎉 {{ 7*7 }}</title>" in home
    for tenant in TENANTS if project.answers["__tenants"] else ():
        assert tenant in home
        assert "<li>" in server.page(f"{tenant}.localhost", "/data-points/")
    assert project.read(".env").startswith("SECRET_KEY=")


@contextlib.contextmanager
def embedded_server(project: Bake) -> Iterator[None]:
    """Stop the project's own PostgreSQL server on leaving the block, if it has one."""
    try:
        yield
    finally:
        if (project.path / ".postgres").exists():
            Postgres(project.path / ".postgres").stop()


def make_acme_data(project: Bake) -> None:
    """Make the database that the README says exists, as a copy of one of the demo's."""
    server = Postgres(project.path / ".postgres")
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        demo = sql.Identifier(f"demo_tenant_{TENANTS[0]}")
        connection.execute(sql.SQL("CREATE DATABASE acme_data TEMPLATE {}").format(demo))


#: Commands of the template's README that run these tests, or that other tests are about.
ELSEWHERE = {
    *("make test", 'make test PYTEST="-n 4 -k mirror"'),
    *("make refusals", "make reads", "make compatibility", "make run", "make lint", "make clean"),
    'make change PROJECT=../my_project ARGS="tenant_databases=managed"',
    *("make change", "make change PROJECT=../my_project", "make change PROJECT=../my_project DRY_RUN=1"),
}


def test_the_commands_of_the_templates_readme_work_in_a_clean_clone(tmp_path: Path) -> None:
    clone = copy_template(tmp_path / "clone")
    told = documents.commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert told[:2] == ["make project", "make test"]
    env = {"PYTHON": sys.executable, "PATH": f"{Path(sys.executable).parent}:{commands.clean_environment()['PATH']}"}
    for command in told:
        if command in ELSEWHERE or command.startswith("cruft"):
            continue
        folder = clone if command.startswith("make") else tmp_path / command.split()[0]
        folder.mkdir(exist_ok=True)
        address = command.replace("<this repository>", str(clone))
        commands.run(["bash", "-e", "-c", address], cwd=folder, env=env, typed="\n" * 7)
    for project in (clone / "my_project", tmp_path / "aperture_science", tmp_path / "uvx/my_project"):
        assert (project / "manage.py").exists()


def test_the_templates_workflow_runs_what_is_there() -> None:
    assert documents.steps((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")) == [".ci/run"]
    commands.run(["bash", "-n", ".ci/run"], cwd=ROOT)


@variants.each()
def test_every_variable_that_is_named_is_one_that_the_settings_read(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    read = {
        ast.literal_eval(node.args[0])
        for file in project.files
        if file.startswith("config/") or file.endswith("settings_test.py")
        for node in ast.walk(ast.parse(project.read(file)))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"env\.(str|bool|int|list|email_url)|os\.environ\.get", ast.unparse(node.func))
    }
    if project.answers["__secondary"]:
        # `databases/testing/settings.py` reads one for each alias in OWN_DATABASES.
        read.add("TEST_SECONDARY_DATABASE_URL")
    section = project.read("README.md").partition("## Settings")[2].partition("\n## ")[0]
    assert (
        set(re.findall(r"`([A-Z_]+)`(?=,| \|)", "\n".join(re.findall(r"^\|([^|]+\|)", section, re.MULTILINE)))) == read
    )
    example = set(re.findall(r"^([A-Z_]+)=", project.read(".env.example"), re.MULTILINE))
    assert example == {name for name in read if not name.startswith("TEST_")}
    # Without a default: production has its own, or does not start.
    assert '\nSECRET_KEY = env.str("SECRET_KEY")\n' in project.read("config/settings.py")
    settings = set(re.findall(r"^([A-Z_]+)\b", project.read("config/databases.py"), re.MULTILINE))
    # These are the same in every project, and name settings of roles that this one may lack.
    same = re.compile(r"databases/(README\.md|(\w+/)?tests/plain_site\.py)")
    everything = "\n".join(project.read(file) for file in project.files if not same.fullmatch(file))
    # The names of databases' servers, in messages, tests, workflows and documents.
    named = set(re.findall(r"\b(?:[A-Z]+_)*(?:DATABASE_URLS?|TENANT_SERVERS|SITE_DOMAIN|ALLOWED_HOSTS)\b", everything))
    made_up = {"SOME_DATABASE_URL", "ARCHIVE_DATABASE_URL", "TEST_ARCHIVE_DATABASE_URL", "DRILL_DATABASE_URL"}
    assert named - made_up <= read | settings


def test_the_layers_readme_names_paths_that_exist() -> None:
    text = (EMITTED / "databases/README.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./]+)`", text) if name.endswith(("/", ".py")) and name not in ANY_ROLES}
    roots = [EMITTED / "databases", EMITTED]
    assert [name for name in sorted(named) if not any((root / name).exists() for root in roots)] == []


def test_a_command_of_an_unknown_program_is_an_error() -> None:
    with pytest.raises(ValueError, match="Who runs 'rm -rf x'"):
        documents.commands("Text\n\n```console\nmake test\nrm -rf x   # why not\n```\n")
    with pytest.raises(ValueError, match="Who does"):
        documents.steps("jobs: {a: {steps: [{uses: someone/something@v1}]}}")


def test_commands_are_found_in_blocks_and_between_words() -> None:
    text = "Run `make a`, or `python\nb`, not `this`.\n```sh\nmake c  # why\n```\n```python\nmake = d\n```\n`make a`\n"
    assert documents.commands(text) == ["make a", "python b", "make c"]
    assert documents.blocks(text, "python") == ["make = d\n"]
