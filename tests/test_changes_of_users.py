"""What users do with their project: they delete the examples, add apps, and delete a role."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import commands, settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.suites import PYTEST, make, passed, remove_examples
from tests.support.variants import DJANGO, Variant

Environments = Callable[[str], Environment]
Checked = Callable[..., None]

WIKI = """from django.db import models


class Page(models.Model):
    title = models.CharField(max_length=200)
    path = models.CharField(max_length=200, unique=True, help_text="The part of an address after the name of the site.")
    previous = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="later_versions_of_page")

    def __str__(self) -> str:
        return self.title
"""
PARTS = '''"""Rows of each tenant."""

from django.db import models

from databases.tenants import TenantModel


class Part(TenantModel):
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name
'''
WIKI_TESTS = """from django.test import SimpleTestCase


class WikiTests(SimpleTestCase):
    def test_it(self):
        pass
"""


@pytest.fixture
def works(environment: Environments, on_its_engine: Variables, tmp_path: Path) -> Checked:
    """Run `make check`, Django's checks, the migrations and the tests of a project: each must pass."""

    def run(project: Bake, tests: tuple[str, ...] = PYTEST) -> None:
        tools = environment(project.answers["django_version"])
        on_engine = on_its_engine(project.answers)
        assert "No changes detected" in make(project, tools, "check", env=on_engine)
        # On SQLite for every engine: none of these depends on it.
        production = settings.production(project, settings.sqlite(tmp_path))
        assert "identified no issues" in project.run(tools, "python", "manage.py", "check", env=production)
        project.run(tools, "python", "manage.py", "migrate", env=production)
        assert passed(project.run(tools, *tests, env=on_engine))

    return run


@variants.covering()
def test_a_project_works_without_the_examples(
    bake: Baker, environment: Environments, works: Checked, variant: Variant
) -> None:
    project = bake(**variant)
    gone = remove_examples(project, environment(variant["django_version"]))
    assert "notes" in gone
    assert ("accounts" in gone) == bool(project.answers["__mirror"])
    assert ("projects" in gone) == bool(project.answers["__tenants"])
    apps = "|".join(gone)
    mention = re.compile(rf"""\b(from|import) ({apps})\b|["'/]({apps})["'/.]|# example""")
    # The README tells of the examples; the layer's tests are about apps that have some of these names.
    told = [
        file
        for file in project.files
        if "README" in file or "/tests/" in file or file == ".env" or file.startswith(".removed-examples/")
    ]
    files = {*project.files} - {*told}
    assert [(file, found[0]) for file in files for found in mention.finditer(f"/{file}\n{project.read(file)}")] == []
    # The layer's tests without the examples run in `test_suites.py`.
    works(project, ("python", "-m", "pytest", "-p", "no:cacheprovider"))


@variants.everything(sqlite=["managed"])
def test_a_new_app_passes_make_check(
    bake: Baker, environment: Environments, on_its_engine: Variables, variant: Variant
) -> None:
    project = bake(**variant)
    tools = environment(variant["django_version"])
    env = settings.production(project, settings.sqlite(project.path.parent))
    for app in ("wiki", "parts"):
        project.run(tools, "python", "manage.py", "startapp", app, env=env)
    # As Django leaves them.
    make(project, tools, "check", env=on_its_engine(variant))
    project.write("wiki/models.py", WIKI)
    project.write("parts/models.py", PARTS)
    replace(project, "config/settings.py", "    *DATABASE_APPS,\n", '    *DATABASE_APPS,\n    "parts",\n    "wiki",\n')
    replace(
        project, "config/databases.py", '    "projects": "tenant"', '    "parts": "tenant",\n    "projects": "tenant"'
    )
    project.run(tools, "python", "manage.py", "makemigrations", env=env)
    assert "No changes detected" in make(project, tools, "check", env=on_its_engine(variant))


ARCHIVE = """
DATABASES["archive"] = environment.from_url(
    env.str("ARCHIVE_DATABASE_URL", default=""),
    "ARCHIVE_DATABASE_URL",
    environment.beside(DATABASES["default"], "archive") if DEBUG else None,
)
OWN_DATABASES += ["archive"]
APP_DATABASES |= {"sessions": "secondary", "wiki": "archive"}
"""
ARCHIVE_TESTS = """from django.contrib.sessions.models import Session
from django.db import connections, router
from django.test import TestCase

from wiki.models import Page


class ArchiveTests(TestCase):
    databases = {"default", "secondary", "archive"}

    def test_rows_are_in_a_database_of_another_engine(self):
        page = Page.objects.create(title="a page", path="a")
        self.assertEqual(page._state.db, "archive")
        self.assertEqual(connections["archive"].vendor, "sqlite")
        self.assertNotEqual(connections["default"].vendor, "sqlite")

    def test_djangos_sessions_moved(self):
        self.client.session.save()
        self.assertEqual(router.db_for_write(Session), "secondary")
        self.assertEqual(Session.objects.using("secondary").count(), 1)
"""


def test_one_more_database_of_another_engine_is_a_few_lines(
    bake: Baker, environment: Environments, on_its_engine: Variables, tmp_path: Path
) -> None:
    variant = {
        "primary_database": "postgresql",
        "secondary_database": "writable",
        "tenant_databases": "none",
        "django_version": DJANGO or "6.1",
    }
    project = bake(**variant)
    tools = environment(variant["django_version"])
    sqlite = settings.sqlite(tmp_path)
    env = {**settings.production(project, sqlite), "ARCHIVE_DATABASE_URL": sqlite("archive")}
    project.run(tools, "python", "manage.py", "startapp", "wiki", env=env)
    project.write("wiki/models.py", WIKI)
    project.write("wiki/tests.py", ARCHIVE_TESTS)
    replace(project, "config/settings.py", "    *DATABASE_APPS,\n", '    *DATABASE_APPS,\n    "wiki",\n')
    project.write("config/databases.py", project.read("config/databases.py") + ARCHIVE)
    project.run(tools, "python", "manage.py", "makemigrations", env=env)
    said = project.run(tools, "python", "manage.py", "migrate_databases", env=env)
    assert re.findall(r"^(\w+): \d+ applied$", said, re.MULTILINE) == ["default", "secondary", "archive"]
    assert "archive: up to date" in project.run(tools, "python", "manage.py", "migrate_databases", env=env)
    on_engine = {**on_its_engine(variant), "TEST_ARCHIVE_DATABASE_URL": sqlite("archive_of_tests")}
    # A test of users that logs in would have to name the database of the sessions too.
    assert passed(project.run(tools, *PYTEST, "databases", "wiki", "tests", env=on_engine))


def replace(project: Bake, file: str, old: str, new: str) -> None:
    """Replace a text that must occur once in a file."""
    text = project.read(file)
    assert text.count(old) == 1, (file, old)
    project.write(file, text.replace(old, new))


@pytest.mark.parametrize(
    ("role", "answers", "folders"),
    [
        ("mirror", {"secondary_database": "none"}, ["databases/mirror", "databases/foreign", "seeds"]),
        ("replicas", {"read_replicas": "no"}, ["databases/replicas"]),
        ("tenants", {"tenant_databases": "none"}, ["databases/tenants"]),
    ],
)
def test_a_project_works_without_a_role_that_is_deleted(
    bake: Baker,
    baked: Baker,
    environment: Environments,
    works: Checked,
    role: str,
    answers: Variant,
    folders: list[str],
) -> None:
    variant = {"read_replicas": "yes", "tenant_databases": "managed", "django_version": DJANGO or "5.2"}
    project = bake(**variant)
    tools = environment(variant["django_version"])
    remove_examples(project, tools)
    for folder in folders:
        shutil.rmtree(project.path / folder)
    # Without the lines of the role, these files are as in a project that never had it.
    never_had_it = baked(**{**variant, **answers})
    for file in ("config/databases.py", "config/settings_test.py"):
        lines = never_had_it.read(file).splitlines(keepends=True)
        project.write(file, "".join(line for line in lines if not line.endswith("# example\n")))
    project.run(tools, "ruff", "format", "--no-cache", "config")
    works(project)


def test_a_project_works_without_the_fleet_that_is_deleted(
    bake: Baker, environment: Environments, works: Checked
) -> None:
    project = bake(primary_database="postgresql", tenant_databases="fleet", django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    remove_examples(project, tools)
    shutil.rmtree(project.path / "databases/fleet")
    text = project.read("config/databases.py")
    for pattern, new in [
        (r"from databases\.fleet\.settings import fleet_servers\n", ""),
        (r'    "databases\.fleet",\n', ""),
        (r"fleet_servers\(\n(.*?\n    \)),\n.*?\n\)\n", r'{\n    "default": \1\n}\n'),
    ]:
        text, count = re.subn(pattern, new, text, flags=re.DOTALL)
        assert count == 1, pattern
    project.write("config/databases.py", text)
    project.run(tools, "ruff", "format", "--no-cache", "config")
    works(project)


def test_pytest_alone_runs_the_tests_of_users_wherever_they_are(
    bake: Baker, environment: Environments, on_its_engine: Variables
) -> None:
    project = bake(tenant_databases="managed", django_version=DJANGO or "5.2")
    tools = environment(project.answers["django_version"])
    shutil.copytree(project.path / "tests", project.path / "wiki/deeper")
    project.write("wiki/__init__.py", "")
    project.write("wiki/tests.py", WIKI_TESTS)
    listed = project.run(tools, "pytest", "--collect-only", "-q", env=on_its_engine(project.answers))
    files = {line.partition("::")[0] for line in listed.splitlines() if "::" in line}
    own = [file for file in project.files if re.fullmatch(r"(tests|users|wiki)/(.*/)?(test_\w+|tests)\.py", file)]
    assert "wiki/tests.py" in own
    assert files == {*own}


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("blog/models.py", "from notes.models import Note\n", "blog/models.py uses an example app"),
        ("blog/migrations/0001_x.py", 'dependencies = [("notes", "0001_initial")]\n', "0001_x.py uses an example app"),
        ("seeds/fixtures/mirror.json", "{", "mirror.json is not JSON"),
        (".removed-examples/notes/own.py", "", "is in the way"),
    ],
)
def test_examples_are_not_removed_from_under_a_user(bake: Baker, file: str, text: str, says: str) -> None:
    project = bake(django_version=DJANGO or "5.2")
    (project.path / file).parent.mkdir(parents=True, exist_ok=True)
    project.write(file, text)
    before = project.digests()
    words = (sys.executable, "-B", "-m", "notes.remove_examples")
    assert says in commands.run(words, cwd=project.path, code=1)
    assert project.digests() == before


def test_what_users_added_to_the_examples_is_kept(bake: Baker, environment: Environments) -> None:
    project = bake(django_version=DJANGO or "5.2")
    project.write("notes/report.py", "OURS = 1\n")
    project.write("tests/test_mine.py", "from tests import production\n")
    remove_examples(project, environment(project.answers["django_version"]))
    assert project.read(".removed-examples/notes/report.py") == "OURS = 1\n"
    assert (project.path / "tests/test_mine.py").exists()
