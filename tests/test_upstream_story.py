"""Databases of other applications are imported, compared row by row, tested against, edited, and imported again."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import blog, environments, hostile, rows, settings, upstream
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.drift import findings
from tests.support.environments import Environment
from tests.support.readers import make_reader
from tests.support.suites import MANAGE, passed
from tests.support.upstream import MAKE_TABLES
from tests.support.variants import DJANGO

IMPORT = ("python", "manage.py", "import_mirror_models")
CHECK = ("python", "manage.py", "check_mirror", "--json")
NO_KEY, NAME, DENIED = "it has no primary key that Django can use", "Django cannot use such names", "permission denied"

#: Tests of the copies, as the project's owner may write them.
TEST_OF_ALL = """
from django.test import TestCase
from databases.registry import models_of

class RowsTests(TestCase):
    databases = {"mirror"}

    def test_every_copy_has_its_columns_in_the_test_database(self):
        for model in models_of("mirror"):
            with self.subTest(model=model):
                list(model._base_manager.all())
"""
TEST_OF_THE_SHOP = f"""{TEST_OF_ALL}
    def test_rows_of_the_copies_are_written_and_read_in_the_test_database(self):
        from upstream_auth.models import User
        from catalogue.models import Product, ProductClass
        from wishlists.models import Line, WishList

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


@dataclass(frozen=True)
class Upstream:
    """Another application's database: its engine and server, Django's version here, and what is expected of an import.

    - `imports` are words for `import_mirror_models` beside `--all`.
    - `left_out` are tables and columns by the reason on the terminal.
    - `unreadable` are copies whose rows no driver can hold until the owner edits the class.
    - `missed` are fields whose values Django's filters refuse or do not find, and `hidden` rows not for the reader.
    - `edited` and `deleted` are copies (app and class), and `edits` the lines that the owner writes into the first.
    """

    engine: str
    server: str
    django: str
    build: str
    edited: tuple[str, str]
    edits: str
    deleted: tuple[str, str]
    tables: int
    imports: list[list[str]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    hidden: dict[str, int] = field(default_factory=dict)
    test: str = TEST_OF_ALL


SHOP = Upstream(
    engine="postgresql",
    server="postgres",
    django="6.1",
    build="shop",
    edited=("catalogue", "Product"),
    edits="    title = models.TextField()\n\n    def shout(self): return self.title.upper()\n",
    deleted=("wagtailembeds", "Embed"),
    tables=138,
    test=TEST_OF_THE_SHOP,
)
HOSTILE = Upstream(
    engine="postgresql",
    server="postgres",
    django="6.1",
    build="hostile",
    edited=("upstream_types", "Endless"),
    edits="".join(f"    {name} = AsTextField(null=True)\n" for name in ("day", "naive", "aware", "clock")),
    deleted=("rights", "Owner"),
    tables=190,
    imports=[
        ["--view", "view_plain:id", "--view", "view_join:id", "--view", "view_kept:id", "--into", "views"],
        ["--schema", "archive", "--into", "archive"],
        ["--schema", "Odd schema", "--into", "odd"],
    ],
    left_out={
        NO_KEY: [
            *("inherit_orphan", "link_keyless", "names_percent_key"),
            *("nokey_columns", "nokey_nullable", "nokey_plain", "nokey_unique"),
        ],
        NAME: [
            *("per%cent", 'quo"te', "names_percent.per%cent", "names_percent.%s", "names_percent.%(name)s"),
            *('names_quote.quo"te', "names_quote.back`tick", "names_odd.$", "names_odd.semi;colon"),
            *(f"names_sql.{name}" for name in ("for update", "into outfile", "set_config", "/* comment")),
        ],
        DENIED: ["rights_column", "rights_none"],
    },
    # Until the owner of the project reads infinite dates as text.
    unreadable={"upstream_types.Endless"},
    # No operator compares a domain over an enumeration, a composite or a regclass with a text; for the server, a month
    # is not 30 days; and Django's fields refuse an infinite number, and the address of a network.
    missed={
        *("keys.EnumDomain.feeling", "keys.EnumDomain.note", "upstream_types.Text.hidden"),
        *("upstream_types.Rare.both_field", "upstream_types.Rare.kind", "upstream_types.Time.took"),
        *("upstream_types.Time.years", "upstream_types.InfiniteNumber.loose", "upstream_types.Network.host"),
    },
    hidden={"rights.Rows": 1},
)
BLOG = Upstream(
    engine="mysql",
    server="mariadb",
    django="5.2",
    build="blog",
    edited=("blog", "Numbers"),
    edits="    whole = models.BigIntegerField(null=True)\n\n    def shout(self): return str(self.whole)\n",
    deleted=("kind", "Trigger"),
    tables=31,
    imports=[["--view", "view_posts:id", "--into", "views"]],
    left_out={
        NO_KEY: ["keys_none", "keys_unique", "kind_sequence"],
        NAME: [
            "per%cent",
            'quo"te',
            "back`tick",
            *(f"blog_names.{name}" for name in ("per%cent", "%s", "back`tick", 'quo"te')),
        ],
        "Django has no field for point": ["blog_places.place"],
        "Django has no field for geometry": ["blog_places.shape"],
        "Django has no field for an invisible varchar(20)": ["blog_generated.secret"],
    },
    # A `tinyint(1)` is a truth value for Django, and 2 is not.
    missed={"blog.Comments.approved"},
)
UPSTREAMS = {
    "shop-postgresql": SHOP,
    "shop-mariadb": replace(SHOP, engine="mysql", server="mariadb", django="5.2"),
    "hostile-postgresql": HOSTILE,
    "hostile-postgresql-15": replace(HOSTILE, server="system_postgres", django="5.2"),
    "blog-mariadb": BLOG,
}


#: A field that reads what is not there, and a relation to a table in which one row's key is missing.
WRONG = """
    class Wrong(models.TextField):
        def from_db_value(self, value, *args):
            return f"{value}!" if value else value

    ip = Wrong(null=True)
    post = models.ForeignKey("blog.Numbers", models.DO_NOTHING, db_column="post_ID", related_name="+")
"""


@dataclass(frozen=True)
class Site:
    """A project that reads an upstream: its tools, its environment in production, and the URL of the other owner."""

    project: Bake
    tools: Environment
    production: dict[str, str]
    owner: str

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command of the project in production."""
        return self.project.run(self.tools, *words, env=self.production, code=code)


@pytest.fixture(params=UPSTREAMS)
def expected(request: pytest.FixtureRequest) -> Upstream:
    return UPSTREAMS[request.param]


@pytest.fixture
def site(
    expected: Upstream,
    bake: Baker,
    environment: Callable[[str], Environment],
    database_names: Iterator[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Site:
    """Return a project whose mirror is an upstream, read as the user that its README describes."""
    project = bake(
        primary_database=expected.engine,
        secondary_database="read-only-mirror",
        django_version=DJANGO or expected.django,
    )
    tools = environment(project.answers["django_version"])
    if expected.engine == "mysql" and not tools.has_mysqlclient:
        pytest.skip(environments.NO_MYSQLCLIENT)
    server: DatabaseServer = request.getfixturevalue(expected.server)
    name = next(database_names)
    url = server.create(name)
    if expected.build == "shop":
        theirs = environments.make("upstream", sys.executable, upstream.PACKAGES)
        upstream.build(theirs, tmp_path / "theirs", url, migrate=expected.engine == "postgresql")
    else:
        {"hostile": hostile, "blog": blog}[expected.build].build(server, name)
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": url}
    project.run(tools, "python", "-c", MAKE_TABLES, "accounts", "materials", env=making)
    reader = make_reader(project, server, name, name, url)
    if expected.build == "hostile":
        hostile.grant(server, name, f"reader_{name}")
    production = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": server.create(next(database_names)),
        "MIRROR_DATABASE_URL": reader,
        "TEST_DATABASE_URL": server.url_for_tests(next(database_names)),
    }
    return Site(project, tools, production, url)


def test_an_upstream_is_imported_read_whole_tested_edited_and_imported_again(site: Site, expected: Upstream) -> None:
    project, run, started = site.project, site.run, time.monotonic()

    # Everything becomes a model, or is left out for a reason. The models pass every check.
    said = [run(*IMPORT, *words) for words in [["--all"], *expected.imports]]
    apps = sorted(path.parts[-3] for path in project.path.glob("*/models/upstream.py"))
    left_out = {*re.findall(r"^(.+) is left out: (.+)$", "\n".join(said), re.MULTILINE)}
    assert left_out == {(name, why) for why, names in expected.left_out.items() for name in names}
    counts = [re.findall(r"^Tables copied: (\d+)\. Left out: (\d+)\.$", each, re.MULTILINE)[0] for each in said]
    copied, not_copied = int(counts[-1][0]), int(counts[0][1])
    assert copied >= expected.tables
    install(project, apps)
    assert "no issues" in run("python", "manage.py", "check")
    run("ruff", "check", "--no-cache", *apps)
    run("ruff", "format", "--no-cache", "--check", "--exclude", "migrations", *apps)
    run("python", "manage.py", "makemigrations", *apps)
    run("python", "manage.py", "makemigrations", "--check", *apps)

    # Production reads every row as the server has it, and follows every relation; nothing has drifted.
    compared = rows.compare(project, site.tools, site.production, site.owner)
    assert {each.partition(": ")[0] for each in compared["differences"]} == expected.unreadable, compared["differences"]
    assert compared["broken"] == []
    assert {each.partition("=")[0] for each in compared["missed"]} == expected.missed, compared["missed"]
    assert compared["hidden"] == expected.hidden
    assert [each for each in findings(run(*CHECK)) if each["level"] == "error"] == []
    before = project.digests()
    assert run(*IMPORT, "--all").endswith("Nothing to change.\n")
    assert project.digests() == before

    # The owner of the project edits a class and deletes another. Both stay so.
    edit(project, *expected.edited, expected.edits)
    edit(project, *expected.deleted, "")
    edited = project.read(f"{expected.edited[0]}/models/__init__.py")
    run(*IMPORT)
    assert run(*IMPORT).endswith("Nothing to change.\n")
    assert project.read(f"{expected.edited[0]}/models/__init__.py") == edited
    app, cls = expected.deleted
    assert f"class {cls}(" not in project.read(f"{app}/models/upstream.py")
    assert "no issues" in run("python", "manage.py", "check")
    run("python", "manage.py", "makemigrations", *apps)
    again = rows.compare(project, site.tools, site.production, site.owner)
    assert again["differences"] == again["broken"] == []
    assert again["models"] == compared["models"] + len(expected.unreadable) - 1

    # Tests create and fill their tables, beside the seeded rows of other apps.
    project.write("tests/test_rows.py", expected.test)
    assert passed(run(*MANAGE, "tests.test_rows", "databases.mirror.tests.test_mirror.HierarchyTests"))
    print(
        f"\n{expected.build} on {expected.server}: "
        f"{copied + not_copied} tables, {copied} copied, {not_copied} left out; "
        f"{again['rows']} rows, {again['values']} values, {again['followed']} relations, {again['filtered']} filters, "
        f"{time.monotonic() - started:.1f} s"
    )


@pytest.mark.parametrize("expected", ["blog-mariadb"], indirect=True)
def test_values_relations_and_filters_that_are_wrong_are_noticed(site: Site, expected: Upstream) -> None:
    site.run(*IMPORT, "blog")
    install(site.project, ["blog"])
    edit(site.project, "blog", "Comments", WRONG)
    compared = rows.compare(site.project, site.tools, site.production, site.owner)
    assert compared["differences"] == ["blog.Comments.ip (varchar): '10.0.0.1!', and '10.0.0.1' there"]
    assert compared["broken"] == ["blog.Comments.post: 2 rows of 3"]
    assert "blog.Comments.ip='10.0.0.1!'" in compared["missed"]


def install(project: Bake, apps: list[str]) -> None:
    """Add apps to the settings, and map them to the mirror; names of tables may be the same in both databases."""
    installed = f"INSTALLED_APPS += {apps}\nAPP_DATABASES |= dict.fromkeys({apps}, 'mirror')\n"
    silenced = 'SILENCED_SYSTEM_CHECKS = ["models.W035", "fields.W344"]\n'
    project.write("config/settings.py", f"{project.read('config/settings.py')}\n{installed}{silenced}")


def edit(project: Bake, app: str, cls: str, new: str) -> None:
    """Write lines into the class of a copy, or delete the class if there are none."""
    file = f"{app}/models/__init__.py"
    text, line = project.read(file), f"class {cls}(upstream.{cls}): ...\n"
    assert line in text
    if new:
        imports = "from django.db import models\n\nfrom databases.foreign.fields import AsTextField\n\n"
        text = text.replace("from . import upstream\n", f"{imports}from . import upstream\n")
    project.write(file, text.replace(line, f"class {cls}(upstream.{cls}):\n{new}" if new else ""))
