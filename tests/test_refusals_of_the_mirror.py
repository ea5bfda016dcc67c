"""Which barrier refuses which write to the mirror, on each engine: measured here, shown in the README."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Baker
from tests.support import refusals, settings
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.documents import blocks
from tests.support.environments import Environment
from tests.support.refusals import BARRIERS
from tests.support.template import ROOT
from tests.support.upstream import MAKE_TABLES
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

#: By column of the table: the project's engine, and the fixture of its server.
ENGINES = {
    "PostgreSQL 18": ("postgresql", "postgres"),
    "PostgreSQL 15": ("postgresql", "system_postgres"),
    "MariaDB 10.11": ("mysql", "mariadb"),
    "SQLite": ("sqlite", ""),
}
#: By column, another one whose cells for `router` and `guard` it shares: these see a statement before any server does.
SAME_IN_PYTHON = {"PostgreSQL 15": "PostgreSQL 18"}
UPDATE = "`make refusals` regenerates it; review the difference before you commit it."

#: The apps of the layer's own tests of the mirror: the attempts write to their tables.
APPS = ("layer_people", "layer_library")
LOAD_ROWS = """
from pathlib import Path
from databases.foreign.seeding import load_fixture
load_fixture(Path("databases/mirror/tests/library/fixtures/layer_mirror.json"), apps, "default")
"""

#: Makes each attempt with the given barriers in place, on a fresh copy of the upstream after each write.
ATTEMPT = """
import json, shutil, sys
from databases import environment
from databases.mirror import settings
engine, kept, pristine = sys.argv[1], sys.argv[2].split(), sys.argv[3]
if "session" not in kept:
    real = settings.mirror_database
    # Without the read-only mode of a SQLite file.
    settings.mirror_database = lambda url, development: {
        **real(url, development), "NAME": environment.from_url(url, "MIRROR_DATABASE_URL")["NAME"]
    }
import django
django.setup()
from django.db import ConnectionHandler, connections
from databases import read_only
from databases.mirror import guard, router
from databases.mirror.tests.mirror_attempts import outcome
from databases.mirror.tests.mirror_statements_of_engines import ON_PURPOSE, all_attempts

if "router" not in kept:
    router.MirrorRouter.db_for_write = router.MirrorRouter.db_for_read
if "guard" not in kept:
    guard.only_reads = lambda sql: True
if "session" not in kept:
    read_only.READ_ONLY = dict.fromkeys(read_only.READ_ONLY, "SELECT 1")

name = connections["mirror"].settings_dict["NAME"]
path = name.removeprefix("file://").partition("?")[0]
owner = ConnectionHandler({
    "default": {},
    "rows": {**environment.from_url(sys.argv[4], "OWNER"), "CONN_MAX_AGE": 0},
    "server": {**environment.from_url(sys.argv[5], "OWNER"), "CONN_MAX_AGE": 0},
})

def ask(alias, sql):
    with owner[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []

def restore():
    connections["mirror"].close()
    owner["rows"].close()
    if engine == "sqlite":
        shutil.copy(pristine, path)
    elif engine == "postgresql":
        ask("server", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        ask("server", f'CREATE DATABASE "{name}" TEMPLATE "{pristine}"')
    else:
        ask("server", f"DROP DATABASE IF EXISTS `{name}`")
        ask("server", f"CREATE DATABASE `{name}`")
        for (table,) in ask("server", f"SHOW TABLES FROM `{pristine}`"):
            ask("server", f"CREATE TABLE `{name}`.`{table}` LIKE `{pristine}`.`{table}`")
            ask("server", f"INSERT INTO `{name}`.`{table}` SELECT * FROM `{pristine}`.`{table}`")

def contents():
    tables = sorted(owner["rows"].introspection.table_names())
    owner["rows"].close()
    quote = owner["rows"].ops.quote_name
    found = {table: sorted(map(str, ask("rows", f"SELECT * FROM {quote(table)}"))) for table in tables}
    owner["rows"].close()
    return found

restore()
before = contents()
attempts = {**all_attempts(engine), **ON_PURPOSE[engine]}
outcomes = {}
for attempt, make in attempts.items():
    said = outcome(make)
    wrote = contents() != before
    outcomes[attempt] = [said, wrote]
    if wrote or said == "done":
        restore()
print(json.dumps(outcomes))
"""

Outcomes = dict[str, tuple[str, bool]]
#: Makes every attempt: `try_all("router guard", "reader")`, with these barriers, as this user.
TryAll = Callable[[str, str], Outcomes]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """A column of the table."""
    return str(request.param)


@pytest.fixture
def try_all(
    engine: str,
    bake: Baker,
    environment: Environments,
    database_names: Iterator[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> TryAll:
    """Return what makes the attempts, in a project with an upstream on that engine."""
    kind, fixture = ENGINES[engine]
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(secondary_database="read-only-mirror", primary_database=kind, **version)
    tools = environment(project.answers["django_version"])
    pristine, name = next(database_names), next(database_names)
    if kind == "sqlite":
        pristine, server_url = str(tmp_path / "pristine.sqlite3"), settings.sqlite(tmp_path)("server")
        owner_url = settings.sqlite(tmp_path)(name)
        pristine_url = f"sqlite:///{pristine}"
    else:
        server: DatabaseServer = request.getfixturevalue(fixture)
        pristine_url, owner_url = server.create(pristine), server.url(name)
        server_url = server.url("postgres" if kind == "postgresql" else "mysql")
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": pristine_url}
    project.run(tools, "python", "-c", MAKE_TABLES + LOAD_ROWS, *APPS, env=making)
    reader_url = owner_url if kind == "sqlite" else make_reader(project, server, pristine, name, owner_url)

    def run(barriers: str, user: str) -> Outcomes:
        production = {
            "DJANGO_SETTINGS_MODULE": "databases.tests.production_settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "example.com",
            "DATABASE_URL": settings.sqlite(tmp_path)("primary"),
            "MIRROR_DATABASE_URL": reader_url if user == "reader" else owner_url,
        }
        words = (kind, barriers, pristine, owner_url, server_url)
        output = project.run(tools, "python", "-c", ATTEMPT, *words, env=production)
        found: Outcomes = json.loads(output.splitlines()[-1])
        return found

    return run


def make_reader(project: Bake, server: DatabaseServer, pristine: str, name: str, owner_url: str) -> str:
    """Create the user that the project's README describes, and return the URL that logs in as it."""
    (sql,) = blocks(project.read("README.md"), "sql")
    reader = f"reader_{name}"
    (owner,) = server.execute("SELECT current_user")[0]
    for statement in filter(None, map(str.strip, sql.split(";"))):
        told = statement.replace("main_site_owner", str(owner)).replace("…", "reads only")
        # MySQL grants rights by the name of a database, and PostgreSQL inside the database.
        database = name if project.answers["__mysql"] else pristine
        told = re.sub(r"\bmain_site\b", f"`{name}`" if project.answers["__mysql"] else f'"{pristine}"', told)
        server.execute(re.sub(r"\breader\b", reader, told), "" if project.answers["__mysql"] else database)
    login, _, place = owner_url.partition("://")[2].rpartition("@")
    assert login, owner_url
    scheme = owner_url.partition("://")[0]
    return f"{scheme}://{reader}:{quote('reads only')}@{place}"


def test_each_write_is_refused_by_the_barriers_in_the_readme(
    engine: str, try_all: TryAll, request: pytest.FixtureRequest
) -> None:
    # The control: without barriers every attempt succeeds, so below it is a barrier that refuses it.
    control = try_all("", "owner")
    assert {name: said for name, (said, _) in control.items() if said != "done"} == {}
    stopped: dict[str, list[str]] = {name: [] for name in control}
    for barrier in BARRIERS:
        if barrier == "role" and engine == "SQLite":
            continue
        if engine in SAME_IN_PYTHON and barrier in ("router", "guard"):
            for name, barriers in refusals.read()[SAME_IN_PYTHON[engine]].items():
                stopped[name] += [barrier] * (barrier in barriers)
            continue
        alone = try_all(barrier, "reader") if barrier == "role" else try_all(barrier, "owner")
        for name, (said, wrote) in alone.items():
            assert not wrote or said == "done" or barrier != "role", f"{name} wrote, and then failed: {said}"
            if said != "done" and not wrote:
                stopped[name].append(barrier)
    if request.config.getoption("--update-refusals"):
        refusals.update(engine, stopped)
    assert refusals.read()[engine] == stopped, UPDATE
    assert all(stopped.values())


#: What bypasses Django's wrappers is refused with the driver's message.
UNSEEN = re.compile("driver's own cursor|server-side cursor|in disguise")


def test_nothing_is_written_behind_all_barriers_and_no_message_shows_a_value(engine: str, try_all: TryAll) -> None:
    as_owner, as_reader = try_all("router guard session", "owner"), try_all("router guard session", "reader")
    assert not any(wrote or said == "done" for said, wrote in as_reader.values())
    seen = {name: said for name, (said, _) in as_owner.items() if not UNSEEN.search(name)}
    assert {name: said for name, said in seen.items() if not said.startswith("MirrorWriteError: ")} == {}
    assert "hidden" not in str(seen)
    # Deliberate code can bypass the guards. That is why the role is the boundary.
    on_purpose = [name for name, (_, wrote) in as_owner.items() if wrote]
    assert all(UNSEEN.search(name) for name in on_purpose)
    assert bool(on_purpose) == (engine != "SQLite")


def test_the_readme_shows_what_was_measured(request: pytest.FixtureRequest) -> None:
    readme = ROOT / "README.md"
    if request.config.getoption("--update-refusals"):
        readme.write_text(refusals.put_into(readme.read_text(encoding="utf-8")), encoding="utf-8")
    text = readme.read_text(encoding="utf-8")
    assert refusals.put_into(text) == text, UPDATE


def test_a_table_has_a_row_for_every_way_and_a_column_for_every_engine() -> None:
    measured: dict[str, Any] = {"A": {"`x`": ["router", "session"], "z": []}, "B": {"y": ["guard"], "`x`": ["role"]}}
    assert refusals.table(measured).splitlines() == [
        "| way of writing | A | B |",
        "|---|---|---|",
        "| `x` | router, session | role |",
        "| z | **nothing** | |",
        "| y | | guard |",
    ]
