"""A project reads another application's PostgreSQL database. In production it never writes there."""

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import settings
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.upstream import MAKE_TABLES
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

ATTEMPTS = """
import json, threading, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connections, transaction
from accounts.models import Organisation
from notes.models import Note

INSERT = "INSERT INTO accounts_organisation (name) VALUES ('ours')"

def in_thread(work):
    caught = []
    def target():
        try:
            work()
        except BaseException as error:
            caught.append(error)
        finally:
            connections.close_all()
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]

def cursor():
    with connections["mirror"].cursor() as cursor:
        cursor.execute(INSERT)

def in_atomic():
    with transaction.atomic(using="mirror"):
        cursor()

def table():
    with connections["mirror"].cursor() as cursor:
        cursor.execute("CREATE TABLE ours (id int)")

loaded = Organisation.objects.get()
attempts = {
    "save": lambda: Organisation(name="ours").save(),
    "save of a loaded row": lambda: loaded.save(),
    "delete of a loaded row": lambda: loaded.delete(),
    "create": lambda: Organisation.objects.create(name="ours"),
    "using": lambda: Organisation.objects.using("mirror").create(name="ours"),
    "update using": lambda: Organisation.objects.using("mirror").update(name="ours"),
    "save using": lambda: Organisation(name="ours").save(using="mirror"),
    "cursor": cursor,
    "cursor in a transaction": in_atomic,
    "table": table,
    "cursor in a thread": lambda: in_thread(cursor),
    "using in a thread": lambda: in_thread(lambda: Organisation.objects.using("mirror").create(name="ours")),
    "migrate": lambda: call_command("migrate", database="mirror", verbosity=0),
    "flush": lambda: call_command("flush", database="mirror", interactive=False, verbosity=0),
    # Negative controls: reads of the mirror, and a write to the project's own database.
    "read": lambda: list(Organisation.objects.using("mirror")),
    "note": lambda: Note.objects.create(text="ours"),
}
outcomes = {}
for name, attempt in attempts.items():
    try:
        attempt()
        outcomes[name] = ["done", ""]
    except (Exception, SystemExit) as error:
        outcomes[name] = [type(error).__name__, str(error)]
    connections.close_all()
print(json.dumps(outcomes))
"""

REFUSED_BY_MIRROR = [
    *("save", "save of a loaded row", "delete of a loaded row", "create"),
    *("using", "update using", "save using", "using in a thread"),
    *("cursor", "cursor in a transaction", "cursor in a thread", "table"),
]
REFUSED_COMMANDS = ["migrate", "flush"]

# What the environment of a test run may hold. None of it may open the mirror for writes.
TEST_FLAGS = {
    "TEST_DATABASE_URL": "sqlite:////nowhere/tests.sqlite3",
    "TEST_MIRROR_DATABASE_URL": "sqlite:////nowhere/mirror.sqlite3",
    "PYTEST_CURRENT_TEST": "databases/mirror/tests/test_mirror.py (call)",
    "PYTEST_VERSION": "9",
    "DJANGO_TEST_PROCESSES": "2",
    "TESTING": "1",
}


@pytest.fixture
def site(
    bake: Baker, environment: Environments, postgres: Postgres, database_names: Iterator[str]
) -> tuple[Bake, Environment, dict[str, str], str]:
    """Return a project, its tools, its production environment, and the name of the other application's database."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(secondary_database="read-only-mirror", primary_database="postgresql", **version)
    tools = environment(project.answers["django_version"])
    upstream, primary = next(database_names), next(database_names)
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": postgres.create(upstream)}
    project.run(tools, "python", "-c", MAKE_TABLES, "accounts", "materials", env=making)
    with psycopg.connect(postgres.url(upstream)) as connection:
        connection.execute("INSERT INTO accounts_organisation (name) VALUES ('theirs')")
    production = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "example.com",
        "DATABASE_URL": postgres.create(primary),
        "MIRROR_DATABASE_URL": postgres.url(upstream),
    }
    return project, tools, production, upstream


@pytest.mark.parametrize("flags", [{}, TEST_FLAGS], ids=["production", "production with every test flag set"])
def test_no_write_reaches_the_upstream_database(
    site: tuple[Bake, Environment, dict[str, str], str], postgres: Postgres, flags: dict[str, str]
) -> None:
    project, tools, production, upstream = site
    before = postgres.tables(upstream)
    assert {"accounts_organisation", "accounts_member", "materials_material"} <= set(before)

    production = {**production, **flags}
    project.run(tools, "python", "manage.py", "migrate", "--verbosity", "0", env=production)
    output = project.run(
        tools, "python", "-c", ATTEMPTS, env={**production, "DJANGO_SETTINGS_MODULE": "config.settings"}
    )
    outcomes: dict[str, list[str]] = json.loads(output.splitlines()[-1])
    for name in REFUSED_BY_MIRROR:
        assert outcomes.pop(name)[0] == "MirrorWriteError", name
    for name in REFUSED_COMMANDS:
        error, message = outcomes.pop(name)
        assert error == "CommandError", name
        assert "mirror" in message, name
    assert outcomes == {"read": ["done", ""], "note": ["done", ""]}

    refused = project.run(tools, "python", "manage.py", "migrate", "--database", "mirror", env=production, code=1)
    assert refused.startswith("CommandError: ")
    assert "mirror" in refused

    assert postgres.tables(upstream) == before
    with psycopg.connect(postgres.url(upstream)) as connection:
        assert connection.execute("SELECT name FROM accounts_organisation").fetchall() == [("theirs",)]


def test_no_table_of_the_mirror_is_made_in_the_primary(
    site: tuple[Bake, Environment, dict[str, str], str], postgres: Postgres
) -> None:
    project, tools, production, _ = site
    project.run(tools, "python", "manage.py", "migrate", "--verbosity", "0", env=production)
    primary = production["DATABASE_URL"].partition("?")[0].rpartition("/")[2]
    found = postgres.tables(primary)
    assert "notes_note" in found
    assert [table for table in found if table.startswith(("accounts_", "materials_"))] == []
