"""Projects of `django-admin startproject` follow `docs/how-to/joining.md`: they take a role, and keep their data."""

import contextlib
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import rows as row_factories
from psycopg import sql

from tests.support import commands, documents, environments, guides, own_postgres, settings
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.suites import passed
from tests.support.template import ROOT
from tests.support.variants import DJANGO

GUIDE = (ROOT / "docs/how-to/joining.md").read_text(encoding="utf-8")
STEPS = "A role for your project"
VERSION = DJANGO or "5.2"
#: Packages that such projects use, and that bakes do not.
PACKAGES = ["django-taggit>=6,<7", "django-tenants>=4,<5"]
#: Core tests that know the project's settings, its packages or its tables.
CORE = [
    f"databases/tests/test_{name}.py"
    for name in ("checks", "imports", "registry", "report", "runner", "serving", "settings", "templates", "zygote")
]

CUSTOMERS = """
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models


class CustomerManager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        customer = self.model(email=self.normalize_email(email), **fields)
        customer.set_password(password)
        customer.save(using=self._db)
        return customer

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Customer(AbstractUser):
    username = None
    email = models.EmailField(unique=True)
    avatar = models.FileField(upload_to="avatars", blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = CustomerManager()
"""
ORDERS = """
from django.conf import settings
from django.db import models
from taggit.managers import TaggableManager


class Order(models.Model):
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    number = models.CharField(max_length=20, unique=True)
    tags = TaggableManager(blank=True)
"""
TESTS = """
from django.contrib.auth import get_user_model
from django.test import TestCase

from orders.models import Order


class OrderTests(TestCase):
    def setUp(self):
        self.customer = get_user_model().objects.create_superuser("ann@example.com", "a secret")

    def test_an_order_has_tags(self):
        order = Order.objects.create(customer=self.customer, number="1")
        order.tags.add("urgent", "fragile")
        self.assertEqual(Order.objects.filter(tags__name="urgent").get(), order)

    def test_the_admin_lets_customers_of_the_staff_in(self):
        self.assertTrue(self.client.login(email="ann@example.com", password="a secret"))
        self.assertEqual(self.client.get("/admin/", headers={"host": "testserver"}).status_code, 200)
"""
PYTEST = "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\npython_files = test*.py\n"
ROWS = """
from django.core.files.base import ContentFile
from django.test import Client
from customers.models import Customer
from orders.models import Order
for name in ("chell", "horza"):
    customer = Customer.objects.create_superuser(f"{name}@example.com", "a secret")
    customer.avatar.save(f"{name}.png", ContentFile(name))
    for number in range(3):
        Order.objects.create(customer=customer, number=f"{name}-{number}").tags.add("urgent", f"tag {number}")
Client(headers={"host": "localhost"}).login(email="chell@example.com", password="a secret")
"""
CRATES = "from django.db import models\n\n\nclass Crate(models.Model):\n    name = models.CharField(max_length=50)\n"
USE_TENANT = """
import json
from django.core.exceptions import SuspiciousFileOperation
from django.test import Client
from customers.models import Customer
from crates.models import Crate
from databases.tenants import use_tenant
with use_tenant("acme"):
    Crate.objects.create(name="a crate of acme's")
    rows = list(Crate.objects.values_list("name", flat=True))
def status(host):
    return Client(headers={"host": host}).get("/admin/login/").status_code
files = [customer.avatar.open().read().decode() for customer in Customer.objects.order_by("pk")]
print(json.dumps([rows, files, [status(host) for host in ("localhost", "acme.localhost", "nobody.localhost")]]))
"""
USE_MIRROR = """
import json
from catalogue.models import Product
from databases.mirror import MirrorWriteError
try:
    Product.objects.create(title="ours")
except MirrorWriteError:
    print(json.dumps(list(Product.objects.order_by("pk").values_list("title", flat=True))))
"""
CLIENTS = """
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    name = models.CharField(max_length=50)


class Domain(DomainMixin):
    pass
"""
#: What a project adds to its settings for django-tenants.
DJANGO_TENANTS = """
import os
import environ
DATABASES = {"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])}
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
SHARED_APPS = ["django_tenants", "clients", *[app for app in INSTALLED_APPS if app != "crates"]]
TENANT_APPS = ["crates"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "clients.Client"
TENANT_DOMAIN_MODEL = "clients.Domain"
"""
CRATES_IN_SCHEMAS = """
from django.conf import settings
from django.db import models


class Kind(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        db_table = "Kinds of crates: all"


class Crate(models.Model):
    name = models.TextField()
    inside = models.ForeignKey("self", models.CASCADE, null=True)
    kinds = models.ManyToManyField(Kind)
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    weight = models.DecimalField(max_digits=9, decimal_places=3, null=True)
    order = models.JSONField(default=dict)
    packed = models.DateTimeField(auto_now_add=True)
    label = models.BinaryField(default=b"")
    length = models.GeneratedField(
        expression=models.functions.Length("name"), output_field=models.IntegerField(), db_persist=True
    )
"""
#: The key of the last crate was given, and is free again.
FILL_SCHEMAS = r"""
from django_tenants.utils import schema_context
from clients.models import Client
from crates.models import Crate, Kind
from customers.models import Customer
customer = Customer.objects.create_user("chell@example.com")
for name in ("acme", "Umbrella-Corp"):
    Client.objects.create(schema_name=name, name=name)
    with schema_context(name):
        kinds = Kind.objects.bulk_create(Kind(name=f"{name} {number}") for number in range(2))
        outer = None
        for text in ("plain", "tab\tline\nreturn\r\\N\\.", "é 🎉 'quoted' \"", "", name):
            outer = Crate.objects.create(
                name=text, inside=outer, customer=customer, order={text: [1.5]}, label=text.encode(), weight="1.50"
            )
            outer.kinds.set(kinds)
        Crate.objects.create(name="gone", customer=customer).delete()
# After what the migrations print.
print("null")
"""
#: Prints what the command says, for the words and the statement that run before it.
IMPORT_AGAIN = """
import json, os, sys
from django.core.management import CommandError, call_command
from django.db import connections
from databases.tenants import use_tenant
said = []
for alias, statement, words in json.loads(sys.argv[1]):
    with use_tenant("empty"), connections[alias].cursor() as cursor:
        cursor.execute(statement)
    try:
        call_command("import_schema", *words)
        said.append("done")
    except CommandError as error:
        said.append(str(error))
print(json.dumps(said))
"""
ADD_CRATES = """
import json
from databases.tenants import use_tenant
from crates.models import Crate, Kind
keys = {}
for slug in ("acme", "umbrella"):
    with use_tenant(slug):
        crate = Crate.objects.create(name="new", inside=Crate.objects.order_by("pk").first(), customer_id=1)
        crate.kinds.add(Kind.objects.create(name="new"))
        keys[slug] = crate.pk
print(json.dumps(keys))
"""
JOURNAL = """
from django.db import models


class Entry(models.Model):
    text = models.CharField(max_length=50)
"""
#: What a project adds to its settings for a second database.
HAND_WRITTEN = """DATABASES['journal'] = {
    'ENGINE': 'django.db.backends.sqlite3',
    'NAME': BASE_DIR / 'journal.sqlite3',
}
DATABASE_ROUTERS = ['shop.routers.JournalRouter']
"""
WRITE_JOURNAL = """
from customers.models import Customer
from journal.models import Entry
Entry.objects.bulk_create(Entry(text=f"entry {number}") for number in range(5))
Customer.objects.create_user("chell@example.com")
"""
GO_ON = """
import json
from journal.models import Entry
Entry.objects.create(text="after")
print(json.dumps([[entry._state.db, entry.text] for entry in Entry.objects.order_by("pk")]))
"""


class Shop:
    """A project called `shop` in a folder of its own. Arguments: the folder, the tools, and environment variables."""

    def __init__(self, folder: Path, tools: Environment, env: dict[str, str]) -> None:
        self.path, self.tools = folder / "site", tools
        # Byte code of the layer would be compiled for each process.
        self.env = {**env, "PATH": f"{tools.bin}{os.pathsep}{commands.clean_environment()['PATH']}"}

    def run(self, *words: str | Path, code: int | None = 0, **env: str) -> str:
        """Run a command in the project, and return its output."""
        return commands.run(words, cwd=self.path, env={**self.env, **env}, code=code)

    def manage(self, *words: str, code: int | None = 0, **env: str) -> str:
        """Run `manage.py`."""
        return self.run("python", "manage.py", *words, code=code, **env)

    def shell(self, text: str, *arguments: str) -> Any:
        """Run Python with the project's settings, and return the last line that it prints, read as JSON."""
        code = f"import django; django.setup()\n{text}"
        output = self.run("python", "-c", code, *arguments, DJANGO_SETTINGS_MODULE="shop.settings")
        return json.loads(output.splitlines()[-1]) if output.strip() else None

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        text = (self.path / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        (self.path / file).write_text(text.replace(old, new), encoding="utf-8")

    def start(self, **apps: str) -> None:
        """Make the project, with its apps: their models by their names."""
        self.path.mkdir()
        self.run("django-admin", "startproject", "shop", ".")
        for name, models in apps.items():
            self.start_app(name, models)
        listed = "".join(f"    {name!r},\n" for name in [*apps, "taggit"])
        self.change("shop/settings.py", "INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{listed}")
        with (self.path / "shop/settings.py").open("a") as file:
            file.write("AUTH_USER_MODEL = 'customers.Customer'\nMEDIA_ROOT = BASE_DIR / 'media'\n")
        (self.path / "pytest.ini").write_text(PYTEST)

    def start_app(self, name: str, models: str) -> None:
        """Make an app, as `startapp` does."""
        (self.path / name / "migrations").mkdir(parents=True)
        for file, text in (("__init__", ""), ("models", models), ("migrations/__init__", "")):
            (self.path / name / f"{file}.py").write_text(text, encoding="utf-8")

    def follow(self, heading: str, answers: str = "") -> None:
        """Do what a section of the guide says. Argument: the answers for the bake."""

        def run(script: str) -> None:
            script = script.replace("uvx cookiecutter", f"{shlex.quote(str(commands.COOKIECUTTER))}")
            script = script.replace("<this repository>", shlex.quote(str(ROOT))).replace("<answers>", answers)
            self.run("bash", "-e", "-c", script)

        guides.follow(guides.section(GUIDE, heading), self.path, run)


@pytest.fixture(scope="session")
def packages(environment: Callable[[str], Environment]) -> dict[str, str]:
    """The variable that adds packages to the environment of bakes, which tests of bakes must not find there."""
    folder = environments.packages("joining", environment(VERSION), PACKAGES)
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def shop(tmp_path: Path, environment: Callable[[str], Environment], packages: dict[str, str]) -> Shop:
    """A project that is not there yet."""
    return Shop(tmp_path, environment(VERSION), packages)


def rows(file: Path) -> dict[str, list[Any]]:
    """Return the rows of all tables of a SQLite file."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {table: database.execute(f'SELECT * FROM "{table}"').fetchall() for (table,) in tables}  # noqa: S608


def assert_kept(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    """Check that every row is still there, and that only Django's own tables have more."""
    growing = {"auth_permission", "django_content_type", "django_migrations", "sqlite_sequence"}
    assert {table: after[table] for table in before.keys() - growing} == {
        table: found for table, found in before.items() if table not in growing
    }
    for table in growing - {"sqlite_sequence"}:
        assert [*before[table]] == after[table][: len(before[table])]


@pytest.mark.parametrize(
    ("role", "answers", "tests"),
    [
        # The tests of the core are the same for each role.
        ("mirror", "secondary_database=read-only-mirror", ["databases/mirror", *CORE]),
        ("replicas", "secondary_database=none read_replicas=yes", ["databases/replicas"]),
        (
            "tenants",
            "secondary_database=none tenant_databases=managed",
            [
                f"databases/tenants/tests/test_{name}.py"
                for name in ("admin", "checks", "members", "requests", "tenants")
            ],
        ),
    ],
)
def test_a_project_takes_a_role_and_keeps_its_tests_and_rows(
    shop: Shop, tmp_path: Path, role: str, answers: str, tests: list[str]
) -> None:
    shop.start(customers=CUSTOMERS, orders=ORDERS)
    (shop.path / "orders/tests.py").write_text(TESTS)
    shop.manage("makemigrations", "--verbosity=0", "customers", "orders")
    shop.manage("migrate", "--verbosity=0")
    shop.shell(ROWS)
    assert passed(shop.manage("test")) == 2
    before = rows(shop.path / "db.sqlite3")
    assert len(before["taggit_taggeditem"]) == 12

    if role == "mirror":
        shop.env["MIRROR_DATABASE_URL"] = make_catalogue(tmp_path / "catalogue.sqlite3")
    elif role == "replicas":
        shop.env["REPLICA_DATABASE_URLS"] = f"sqlite:///{shop.path}/db.sqlite3"
    shop.follow(STEPS, answers)
    shop.follow("Start")
    assert_kept(before, rows(shop.path / "db.sqlite3"))
    if role == "mirror":
        shop.follow("The mirror")
        assert shop.shell(USE_MIRROR) == ["Portal gun", "Companion cube"]
    elif role == "tenants":
        shop.start_app("crates", CRATES)
        shop.change(
            "crates/models.py", "db import models\n", "db import models\nfrom databases.tenants import TenantModel\n"
        )
        shop.change("shop/settings.py", "    *DATABASE_APPS,\n", "    *DATABASE_APPS,\n    'crates',\n")
        shop.follow("Tenants")
        (code,) = documents.blocks(guides.section(GUIDE, "Tenants"), "python")
        (shop.path / "media/central").mkdir()
        (shop.path / "media/avatars").rename(shop.path / "media/central/avatars")
        shop.shell(f"from customers.models import Customer\n{code}")
        files = ["chell", "horza"]
        assert shop.shell(USE_TENANT) == [["a crate of acme's"], files, [200, 200, 404]]

    production = {"DATABASE_URL": settings.sqlite(shop.path)("db"), "DEBUG": "off"}
    production |= {"TENANT_DATABASE_URL": settings.sqlite(shop.path)("{name}"), "SITE_DOMAIN": "example.com"}
    deployed = shop.manage("check", "--deploy", code=None, **production)
    assert "databases.E" not in deployed
    assert not re.search(r"^ERRORS", deployed, re.MULTILINE)
    assert "orders          1 of 1 applied" in shop.manage("databases", "--verbosity=2")
    assert "No changes detected" in shop.manage("makemigrations", "--check", "--dry-run")
    assert passed(shop.manage("test", "orders")) == 2
    layer = shop.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "orders", *tests)
    assert passed(layer) > 30


def make_catalogue(file: Path) -> str:
    """Make another application's database, and return its URL."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE catalogue_product (id integer PRIMARY KEY, title varchar(50) NOT NULL)")
        database.execute("INSERT INTO catalogue_product (title) VALUES ('Portal gun'), ('Companion cube')")
        database.commit()
    return f"sqlite:///{file}"


TABLES = ("Kinds of crates: all", "crates_crate", "crates_crate_kinds")
FOREIGN_KEYS = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"


def tables(url: str, schema: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables of crates in a schema, by column."""
    found = {}
    with psycopg.connect(url, row_factory=row_factories.dict_row) as connection:
        for table in TABLES:
            query = sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(schema, table))
            found[table] = connection.execute(query).fetchall()
    return found


def test_tenants_move_from_schemas_of_django_tenants_to_databases(
    shop: Shop, postgres: Postgres, database_names: Iterator[str]
) -> None:
    name = next(database_names)
    shop.env |= {"DATABASE_URL": postgres.create(name), "SOURCE_DATABASE_URL": postgres.url(name)}
    shop.env["TENANT_DATABASE_URL"] = postgres.url(f"{name}_NAME").replace("NAME", "{name}")
    shop.start(customers=CUSTOMERS, orders=ORDERS, crates=CRATES_IN_SCHEMAS)
    shop.start_app("clients", CLIENTS)
    before = (shop.path / "shop/settings.py").read_text()
    (shop.path / "shop/settings.py").write_text(before + DJANGO_TENANTS)
    shop.manage("makemigrations", "--verbosity=0", "customers", "orders", "crates", "clients")
    shop.manage("migrate_schemas", "--shared", "--verbosity=0")
    shop.shell(FILL_SCHEMAS)
    postgres.execute('ALTER SEQUENCE "Umbrella-Corp".crates_crate_id_seq RESTART WITH 20', name)
    shared = postgres.execute("SELECT id, email FROM public.customers_customer", name)
    schemas = {schema: tables(postgres.url(name), schema) for schema in ("acme", "Umbrella-Corp")}

    (shop.path / "shop/settings.py").write_text(before)
    shop.follow(STEPS, "primary_database=postgresql secondary_database=none tenant_databases=managed")
    models = (shop.path / "crates/models.py").read_text().replace("(models.Model)", "(TenantModel)")
    key = "customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)"
    models = models.replace(key, "customer_id = models.BigIntegerField(db_index=True)")
    (shop.path / "crates/models.py").write_text(f"from databases.tenants import TenantModel{models}")
    shop.change("shop/databases.py", "str] = {\n", 'str] = {\n    "crates": "tenant",\n')
    shop.follow("From django-tenants")
    shop.manage("create_tenant", "umbrella")
    shop.manage("create_tenant", "empty")
    kill_while_it_copies(shop, postgres, name)
    write_while_it_copies(shop, postgres, name)

    for slug, schema in (("acme", "acme"), ("umbrella", "Umbrella-Corp")):
        assert len(schemas[schema]["crates_crate"]) == 5
        assert tables(postgres.url(f"{name}_tenant_{slug}"), "public") == schemas[schema]
        assert tables(postgres.url(name), schema) == schemas[schema]
        assert postgres.execute(FOREIGN_KEYS, f"{name}_tenant_{slug}") == [(3,)]
    assert shop.shell(ADD_CRATES) == {"acme": 7, "umbrella": 20}
    assert postgres.execute("SELECT id, email FROM public.customers_customer", name) == shared
    shop.manage("tenant_command", "umbrella", "flush", "--no-input")
    assert "17 rows in 3 tables" in shop.manage("import_schema", "umbrella", "--schema", "Umbrella-Corp")
    assert tables(postgres.url(f"{name}_tenant_umbrella"), "public") == schemas["Umbrella-Corp"]
    refuse_to_import(shop, postgres, name)
    assert passed(shop.manage("test", "databases.tests.test_registry", "databases.tenants.tests.test_requests"))


LATE = """
WITH kind AS (INSERT INTO "Umbrella-Corp"."Kinds of crates: all" (name) VALUES ('late') RETURNING id)
INSERT INTO "Umbrella-Corp".crates_crate_kinds (crate_id, kind_id) SELECT 1, id FROM kind
"""
NOT_LATE = """
DELETE FROM "Umbrella-Corp".crates_crate_kinds WHERE kind_id > 2;
DELETE FROM "Umbrella-Corp"."Kinds of crates: all" WHERE id > 2
"""


@contextlib.contextmanager
def copying(shop: Shop, postgres: Postgres, name: str) -> Iterator[tuple[subprocess.Popen[bytes], psycopg.Cursor[Any]]]:
    """Start the command, which waits for its last table inside the block. Yield it, and who has locked that table."""
    waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
    with psycopg.connect(postgres.url(name)) as connection, connection.cursor() as cursor:
        cursor.execute('LOCK TABLE "Umbrella-Corp".crates_crate_kinds IN ACCESS EXCLUSIVE MODE')
        command = ["python", "manage.py", "import_schema", "umbrella", "--schema", "Umbrella-Corp"]
        process = subprocess.Popen(command, cwd=shop.path, env={**commands.clean_environment(), **shop.env})
        try:
            own_postgres.wait_until(lambda: bool(postgres.execute(waits, name)) or process.poll() is not None)
            yield process, cursor
        finally:
            process.kill()
            process.wait()


def kill_while_it_copies(shop: Shop, postgres: Postgres, name: str) -> None:
    """Check that nothing is half copied."""
    with copying(shop, postgres, name) as (process, _):
        process.kill()
        assert process.wait() == -signal.SIGKILL
    for table, found in tables(postgres.url(f"{name}_tenant_umbrella"), "public").items():
        assert found == [], table


def write_while_it_copies(shop: Shop, postgres: Postgres, name: str) -> None:
    """Check that what is written meanwhile is not copied, not even in part."""
    with copying(shop, postgres, name) as (process, cursor):
        cursor.execute(LATE)
        cursor.connection.commit()
        assert process.wait(timeout=60) == 0
        cursor.execute(NOT_LATE)


def refuse_to_import(shop: Shop, postgres: Postgres, name: str) -> None:
    """Check that the command refuses what it cannot copy whole, says why, and copies nothing."""
    trigger = """CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.name = upper(NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER loud BEFORE INSERT ON crates_crate FOR EACH ROW EXECUTE FUNCTION loud()"""
    kinds = 'DELETE FROM acme."Kinds of crates: all" WHERE id NOT IN (SELECT kind_id FROM acme.crates_crate_kinds)'
    cases = [
        (
            "tenant_empty",
            "SELECT 1",
            ["acme", "--schema", "acme"],
            "rows already, in Kinds of crates: all, crates_crate",
        ),
        ("tenant_empty", "SELECT 1", ["empty", "--schema", "x'; DROP"], 'no schema "x\'; DROP"'),
        ("tenant_empty", "SELECT 1", ["nobody", "--schema", "acme"], "nobody"),
        ("tenant_empty", "SELECT 1", ["empty", "--schema", "acme", "--without", "crate"], "neither side has: crate."),
        (
            *("tenant_empty", "SELECT 1", ["empty", "--schema", "acme", "--without", "crates_crate"]),
            "violates foreign key constraint",
        ),
        ("tenant_empty", trigger, ["empty", "--schema", "acme"], "The table crates_crate is not equal on both sides"),
        (
            "tenant_empty",
            "DROP FUNCTION loud CASCADE",
            ["empty", "--schema", "public"],
            "The schema 'public' lacks Kinds",
        ),
        (
            *("default", "CREATE TABLE acme.left_over (id int)", ["empty", "--schema", "acme"]),
            "The tenant's database lacks left_over.",
        ),
        (
            *("default", "ALTER TABLE acme.crates_crate ADD colour text", ["empty", "--schema", "acme"]),
            "The tenant's database lacks crates_crate.colour, left_over.",
        ),
        (
            *("default", "ALTER TABLE acme.crates_crate DROP colour, DROP weight", ["empty", "--schema", "acme"]),
            "The schema 'acme' lacks crates_crate.weight. The tenant's database lacks left_over.",
        ),
        (
            *("default", kinds, ["empty", "--schema", "acme", "--without", "left_over", "crates_crate_kinds"]),
            "The schema 'acme' lacks crates_crate.weight.",
        ),
    ]
    said = shop.shell(IMPORT_AGAIN, json.dumps([case[:3] for case in cases]))
    for (*_, words, expected), found in zip(cases, said, strict=True):
        assert expected in found, (words, found)
    for found in tables(postgres.url(f"{name}_tenant_empty"), "public").values():
        assert found == []
    elsewhere = {"TENANT_DATABASE_URL": f"sqlite:///{shop.path}/{{name}}.sqlite3"}
    refused = shop.manage("import_schema", "empty", "--schema", "acme", code=1, **elsewhere)
    assert "is on sqlite, and this command copies from PostgreSQL to PostgreSQL" in refused
    assert "Set SOURCE_DATABASE_URL" in shop.manage(
        "import_schema", "empty", "--schema=a", code=1, SOURCE_DATABASE_URL=""
    )


def test_the_layer_replaces_a_router_that_was_written_by_hand(shop: Shop) -> None:
    shop.start(customers=CUSTOMERS, orders=ORDERS, journal=JOURNAL)
    (router,) = documents.blocks(guides.section(GUIDE, "From a router of your own"), "python")
    (shop.path / "shop/routers.py").write_text(router)
    with (shop.path / "shop/settings.py").open("a") as file:
        file.write(HAND_WRITTEN)
    shop.manage("makemigrations", "--verbosity=0", "customers", "orders", "journal")
    for alias in ("default", "journal"):
        shop.manage("migrate", "--verbosity=0", f"--database={alias}")
    shop.shell(WRITE_JOURNAL)
    files = [shop.path / f"{name}.sqlite3" for name in ("db", "journal")]
    before = [rows(file) for file in files]
    # Records of every app, and tables of one.
    assert before[0]["django_migrations"] != []
    assert len(before[1]["django_migrations"]) == len(before[0]["django_migrations"])
    assert "orders_order" not in before[1]

    shop.change("shop/settings.py", HAND_WRITTEN.partition("\nDATABASE_ROUTERS")[0], "")
    shop.follow(STEPS, "secondary_database=writable")
    shop.follow("From a router of your own")
    shop.follow("Start")
    shop.follow("Start")
    assert [rows(file) for file in files] == before
    assert "default: up to date\nsecondary: up to date" in shop.manage("migrate_databases")
    listed = shop.manage("databases", "--verbosity=2").partition("\nsecondary ")
    assert "journal         1 only recorded: its tables are in the secondary database" in listed[0]
    assert "orders          1 only recorded: its tables are in the primary database" in listed[2]

    shop.change("journal/models.py", "50)", "50)\n    at = models.DateTimeField(null=True)")
    shop.manage("makemigrations", "--verbosity=0", "journal")
    shop.manage("migrate_databases")
    shop.manage("databases")
    texts = [*(f"entry {number}" for number in range(5)), "after"]
    assert shop.shell(GO_ON) == [["secondary", text] for text in texts]
    layer = shop.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "databases/secondary")
    assert passed(layer) > 10


def test_the_guide_says_how_many_lines_it_adds() -> None:
    lines = [line for line in guides.added(guides.section(GUIDE, STEPS)) if not line.startswith("+DEBUG")]
    (said,) = re.findall(r"\*\*(\d+) lines\*\*", GUIDE)
    assert len(lines) == int(said) <= 10
    assert f"the {said} lines to add" in GUIDE


def test_a_change_that_does_not_fit_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    guides.apply("--- a.py\n one\n+more\n@@\n-more\n--- b.py\n+new\n", tmp_path)
    assert ((tmp_path / "a.py").read_text(), (tmp_path / "b.py").read_text()) == ("one\ntwo\ntwo\n", "new\n")
    for diff in ("--- a.py\n-three\n", "--- a.py\n two\n+more\n"):
        with pytest.raises(ValueError, match=r"a\.py does not contain once"):
            guides.apply(diff, tmp_path)
    with pytest.raises(ValueError, match="has no heading 'Start'"):
        guides.section("## The start\n", "Start")
