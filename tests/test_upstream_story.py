"""The tables of a large application are imported as models; then tables change, and they are imported again."""

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import environments, settings, upstream
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.environments import Environment
from tests.support.suites import MANAGE, passed
from tests.support.upstream import MAKE_TABLES
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]
IMPORT = ("python", "manage.py", "import_mirror_models", "--all")
CHECK = ("python", "manage.py", "check_mirror", "--json")

READ_ALL = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from databases.registry import models_of
print(json.dumps({model._meta.label: model._base_manager.first() is not None for model in models_of("mirror")}))
"""
#: A test of the imported models, as the project's owner may write it.
THEIR_TEST = """
from django.test import TestCase
from upstream_auth.models import User
from catalogue.models import Product, ProductClass
from wishlists.models import Line, WishList

class RowsTests(TestCase):
    databases = {"mirror"}

    def test_rows_of_the_copies_are_written_and_read_in_the_test_database(self):
        now = "2026-01-02T03:04:05Z"
        user = User.objects.create(
            username="glados", is_active=True, is_staff=False, is_superuser=True, date_joined=now
        )
        kind = ProductClass.objects.create(name="x", slug="x", requires_shipping=True, track_stock=False)
        product = Product.objects.create(
            structure="standalone", is_public=True, title="Cake", slug="cake", date_created=now, date_updated=now,
            is_discountable=True, product_class=kind, priority=0,
        )
        wishes = WishList.objects.create(owner=user, name="x", key="x", visibility="Public", date_created=now)
        Line.objects.create(wishlist=wishes, product=product, quantity=1, title="x")
        line = Line.objects.select_related("wishlist__owner", "product__product_class").get()
        self.assertEqual((line.wishlist.owner.username, line.product.product_class), ("glados", kind))
"""

#: Changes of the tables: the statement for PostgreSQL, that for MariaDB if it differs, and the kind and column of the
#: drift that `check_mirror` must find.
CHANGES = [
    ("ALTER TABLE wagtailcore_page ADD COLUMN mood varchar(20)", "", "extra column", "wagtailcore_page.mood"),
    ("ALTER TABLE wagtailcore_site DROP COLUMN site_name", "", "missing column", "wagtailcore_site.site_name"),
    ("ALTER TABLE wagtailembeds_embed RENAME TO wagtailembeds_clip", "", "missing table", "wagtailembeds_embed."),
    (
        "ALTER TABLE communication_email ALTER COLUMN date_sent TYPE date",
        "ALTER TABLE communication_email MODIFY date_sent date NOT NULL",
        "type",
        "communication_email.date_sent",
    ),
    (
        "ALTER TABLE auth_user ALTER COLUMN last_name DROP NOT NULL",
        "ALTER TABLE auth_user MODIFY last_name varchar(150) NULL",
        "null",
        "auth_user.last_name",
    ),
    (
        "ALTER TABLE wagtailcore_collection ALTER COLUMN name TYPE varchar(300)",
        "ALTER TABLE wagtailcore_collection MODIFY name varchar(300) NOT NULL",
        "arguments",
        "wagtailcore_collection.name",
    ),
    ("CREATE TABLE wagtailcore_visit (id int PRIMARY KEY, page_id int REFERENCES wagtailcore_page (id))", "", "", ""),
]
#: The lines that the next import removes and adds.
REPAIRED = [
    "-    date_sent = models.DateTimeField()",
    "+    date_sent = models.DateField()",
    "-    last_name = models.CharField(max_length=150)",
    "+    last_name = models.CharField(max_length=150, null=True)",
    "-    name = models.CharField(max_length=255)",
    "+    name = models.CharField(max_length=300)",
    "+    mood = models.CharField(max_length=20, null=True)",
    "-    site_name = models.CharField(max_length=255)",
    "+class Visit(MirrorModel):",
    "+    id = models.IntegerField(primary_key=True)",
    '+    page = models.ForeignKey("wagtailcore.Page", on_delete=models.DO_NOTHING, null=True)',
    "+    class Meta:",
    '+        db_table = "wagtailcore_visit"',
]


@pytest.fixture(params=[("postgresql", "postgres", "6.1"), ("mysql", "mariadb", "5.2")], ids=lambda param: param[1])
def site(
    request: pytest.FixtureRequest,
    bake: Baker,
    environment: Environments,
    database_names: Iterator[str],
    tmp_path: Path,
) -> tuple[Bake, Environment, dict[str, str], Callable[[str], object]]:
    """Return a project, its tools, its environment in production, and what runs a statement in the mirror."""
    engine, fixture, django = request.param
    project = bake(primary_database=engine, secondary_database="read-only-mirror", django_version=DJANGO or django)
    tools = environment(project.answers["django_version"])
    theirs = environments.make("upstream", sys.executable, upstream.PACKAGES)
    if engine == "mysql" and not (tools.has_mysqlclient and theirs.has_mysqlclient):
        pytest.skip(environments.NO_MYSQLCLIENT)
    server: DatabaseServer = request.getfixturevalue(fixture)
    name = next(database_names)
    url = server.create(name)
    upstream.build(theirs, tmp_path / "theirs", url, migrate=engine == "postgresql")
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": url}
    project.run(tools, "python", "-c", MAKE_TABLES, "accounts", "materials", env=making)
    production = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": server.create(next(database_names)),
        "MIRROR_DATABASE_URL": url,
        "TEST_DATABASE_URL": server.url_for_tests(next(database_names)),
    }
    return project, tools, production, lambda statement: server.execute(statement, name)


def test_models_of_a_real_application_are_imported_and_updated(
    site: tuple[Bake, Environment, dict[str, str], Callable[[str], object]],
) -> None:
    project, tools, production, execute = site
    is_mysql = production["MIRROR_DATABASE_URL"].startswith("mysql")

    def run(*words: str, code: int = 0) -> str:
        return project.run(tools, *words, env=production, code=code)

    # Every table becomes a model, and the models pass every check.
    said = run(*IMPORT)
    copied = re.findall(r"^\[ *\d+/\d+\] \w+ -> (\w+\.\w+), \d+ fields$", said, re.MULTILINE)
    apps = re.findall(r'^    "(\w+)",$', said, re.MULTILINE)
    install(project, apps)
    makemigrations = said.splitlines()[-1].removeprefix("Then run: ").split()
    assert len(copied) >= 138, said
    run("ruff", "check", "--no-cache", *apps)
    run("ruff", "format", "--no-cache", "--check", "--exclude", "migrations", *apps)
    run(*makemigrations)
    assert "no issues" in run("python", "manage.py", "check")

    # Production reads them, and they fit.
    read = json.loads(run("python", "-c", READ_ALL).splitlines()[-1])
    assert set(copied) <= set(read)
    for label in ("wagtailcore.Page", "wagtailcore.Site", "upstream_auth.User", "catalogue.Product"):
        assert read[label], label
    before = project.digests()
    assert run(*IMPORT).endswith("Nothing to change.\n")
    assert project.digests() == before
    unknown = {"tsvector"} if not is_mysql else set()
    assert {each["details"] for each in findings(run(*CHECK))} == unknown

    # Tests create and fill their tables, beside the seeded rows of other apps.
    project.write("tests/test_rows.py", THEIR_TEST)
    assert passed(run(*MANAGE, "tests.test_rows", "databases.mirror.tests.test_mirror.HierarchyTests")) == 5
    (project.path / "tests/test_rows.py").unlink()

    # The other application changes its tables: each change is found, and pages that do not need it still work.
    execute(CHANGES[0][0])
    run("python", "-c", READ_ALL)
    for postgresql, mysql, *_ in CHANGES[1:]:
        execute(mysql if is_mysql and mysql else postgresql)
    drifted = findings(run(*CHECK, code=1))
    found = {(each["kind"], f"{each['table']}.{each['column']}") for each in drifted if each["details"] != "tsvector"}
    assert found == {(kind, column) for *_, kind, column in CHANGES if kind}

    # Another import repairs what changed, and nothing else.
    assert "wagtailembeds.Embed: the table 'wagtailembeds_embed' is gone." in run(*IMPORT, "--dry-run")
    project.write("wagtailembeds/models.py", project.read("wagtailembeds/models.py").replace("s_embed", "s_clip"))
    old = {file: project.read(file) for file in project.files if file.endswith(".py")}
    makemigrations = run(*IMPORT).splitlines()[-1].removeprefix("Then run: ").split()
    new = {file: project.read(file) for file in project.files if file.endswith(".py")}
    lines = [line for file in sorted(new) for line in changes(old.get(file, ""), new[file])]
    assert sorted(lines) == sorted(REPAIRED)
    assert {each["details"] for each in findings(run(*CHECK))} == unknown
    run("ruff", "check", "--no-cache", *apps)
    run("ruff", "format", "--no-cache", "--check", "--exclude", "migrations", *apps)
    run(*makemigrations)
    assert run(*IMPORT).endswith("Nothing to change.\n")
    json.loads(run("python", "-c", READ_ALL).splitlines()[-1])
    print(f"{len(copied)} tables imported, {len(CHANGES)} changes of tables, {len(found)} of them drift")


def install(project: Bake, apps: list[str]) -> None:
    """Add apps to the settings, and map them to the mirror; names of tables may be the same in both databases."""
    installed = f"INSTALLED_APPS += {apps}\nAPP_DATABASES |= dict.fromkeys({apps}, 'mirror')\n"
    silenced = 'SILENCED_SYSTEM_CHECKS = ["models.W035", "fields.W344"]\n'
    project.write("config/settings.py", f"{project.read('config/settings.py')}\n{installed}{silenced}")


def findings(output: str) -> list[dict[str, str]]:
    """Return the findings in the output of `check_mirror --json`, which may have other lines around them."""
    found: list[dict[str, str]] = json.loads(output[output.index("{") : output.rindex("}") + 1])["findings"]
    return found


def changes(old: str, new: str) -> list[str]:
    """Return removed lines with a minus, and added lines with a plus, without the empty ones."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[1:].strip() and not line.startswith(("---", "+++", "@@"))]
