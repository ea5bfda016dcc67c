"""Which barrier refuses which write to the mirror, on each engine: measured here, shown in the guide."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.conftest import Baker
from tests.support import refusals, settings
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.environments import Environment
from tests.support.readers import make_reader
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

#: Makes a fresh copy of the upstream.
RESTORE = """
import json, shutil, sys
import django
django.setup()
from django.db import ConnectionHandler, connections
from databases import environment

engine, pristine = sys.argv[1:3]
name = connections["mirror"].settings_dict["NAME"]
path = name.removeprefix("file://").partition("?")[0]
owner = ConnectionHandler({
    "default": {},
    "rows": {**environment.from_url(sys.argv[3], "OWNER"), "CONN_MAX_AGE": 0},
    "server": {**environment.from_url(sys.argv[4], "OWNER"), "CONN_MAX_AGE": 0},
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

restore()
"""
MAKE_A_COPY = "{restore}\nprint(0)"
#: Makes each attempt with the given barriers in place, on a fresh copy of the upstream after each write.
ATTEMPT = """
import sys
from databases import environment
from databases.mirror import settings
kept = sys.argv[5].split()
if "session" not in kept:
    real = settings.mirror_database
    # Without the read-only mode of a SQLite file.
    settings.mirror_database = lambda url, development: {
        **real(url, development), "NAME": environment.from_url(url, "MIRROR_DATABASE_URL")["NAME"]
    }
{restore}
from databases import read_only
from databases.mirror import router, session
from databases.mirror.tests.mirror_attempts import outcome
from databases.mirror.tests.mirror_statements_of_engines import ON_PURPOSE, all_attempts

if "router" not in kept:
    router.MirrorRouter.db_for_write = router.MirrorRouter.db_for_read
if "guard" not in kept:
    session.only_reads = lambda sql: True
if "session" not in kept:
    read_only.READ_ONLY = dict.fromkeys(read_only.READ_ONLY, "SELECT 1")

def contents():
    tables = sorted(owner["rows"].introspection.table_names())
    owner["rows"].close()
    quote = owner["rows"].ops.quote_name
    found = {table: sorted(map(str, ask("rows", f"SELECT * FROM {quote(table)}"))) for table in tables}
    owner["rows"].close()
    return found

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

#: Gives the reader one right after another, and runs the cures of what the check then reports.
RIGHTS = """
{restore}
from databases.mirror.privileges import check_privileges

def reported():
    connections["mirror"].close()
    return [[each.msg, each.hint] for each in check_privileges(None, ["mirror"])]

outcomes = []
for statements in json.loads(sys.argv[5]):
    for statement in statements:
        ask("rows", statement)
    before = reported()
    for _, hint in before:
        for statement in hint.partition(": ")[2].rstrip(";").split("; "):
            ask("rows", statement)
    outcomes.append([before, reported()])
print(json.dumps(outcomes))
"""
#: By kind of engine: words that the check must report, and the statements that grant the right.
GRANTS = {
    "postgresql": {
        "INSERT, UPDATE ON TABLE public.layer_people_member as": ["GRANT UPDATE, INSERT ON layer_people_member TO {0}"],
        "INSERT, UPDATE ON TABLE public.layer_library_section as": [
            "GRANT UPDATE (id), INSERT (id) ON layer_library_section TO {0}"
        ],
        "UPDATE ON TABLE pg_catalog.pg_class": ["GRANT UPDATE ON pg_class TO {0}"],
        "TRUNCATE ON TABLE public.layer_people_member as PUBLIC": ["GRANT TRUNCATE ON layer_people_member TO PUBLIC"],
        "USAGE ON SEQUENCE": ["CREATE SEQUENCE s1", "GRANT USAGE ON SEQUENCE s1 TO {0}"],
        "UPDATE ON SEQUENCE": ["CREATE SEQUENCE s2", "GRANT UPDATE, SELECT ON SEQUENCE s2 TO PUBLIC"],
        "DELETE ON TABLE public.v": ["CREATE VIEW v AS SELECT 1 AS a", "GRANT DELETE ON v TO {0}"],
        "CREATE ON SCHEMA public": ["GRANT CREATE ON SCHEMA public TO PUBLIC"],
        "CREATE ON DATABASE": ['GRANT CREATE ON DATABASE "{1}" TO {0}'],
        'TRIGGER ON TABLE "Odd ""one"."T;a"': [
            'CREATE SCHEMA "Odd ""one"',
            'CREATE TABLE "Odd ""one"."T;a" ("b c" int)',
            'GRANT TRIGGER ON "Odd ""one"."T;a" TO {0}',
        ],
        "EXECUTE ON ROUTINE public.f(text, VARIADIC a integer[]) as PUBLIC": [
            "CREATE FUNCTION f(text, VARIADIC a int[]) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"
        ],
        "EXECUTE ON FUNCTION pg_catalog.lo_create(oid) as PUBLIC": [
            "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC"
        ],
        "EXECUTE ON FUNCTION pg_catalog.lo_import(text)": ["GRANT EXECUTE ON FUNCTION lo_import(text) TO {0}"],
        "ownership of table public.layer_library_section": ["ALTER TABLE layer_library_section OWNER TO {0}"],
        'ownership of function public."F"(integer)': [
            "CREATE FUNCTION \"F\"(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            'ALTER FUNCTION "F" OWNER TO {0}',
        ],
        "ownership of database {1}": ['ALTER DATABASE "{1}" OWNER TO {0}'],
        "ownership of schema ours": ["CREATE SCHEMA ours AUTHORIZATION {0}"],
        "MEMBERSHIP as pg_write_all_data": ["GRANT pg_write_all_data TO {0}"],
        "MEMBERSHIP as pg_write_server_files": [
            'CREATE ROLE "{0} group" NOINHERIT',
            'GRANT pg_write_server_files TO "{0} group"',
            'GRANT "{0} group" TO {0}',
        ],
        "DELETE ON TABLE public.layer_people_member as": [
            'CREATE ROLE "{0} writers"',
            'GRANT DELETE ON layer_people_member TO "{0} writers"',
            'GRANT "{0} writers" TO {0}',
        ],
        **{
            f"{word} as": [f"ALTER ROLE {{0}} {word}"]
            for word in ("CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
        },
        "SUPERUSER as": ["ALTER ROLE {0} SUPERUSER"],
    },
    "mysql": {
        "INSERT, UPDATE on `{1}`.*": ["GRANT INSERT, UPDATE ON `{1}`.* TO {0}"],
        "INSERT, UPDATE on `{1}`.`layer_people_member`": [
            "GRANT UPDATE (id, name), INSERT (name) ON `{1}`.layer_people_member TO {0}"
        ],
        "DELETE on `%`.*": ["GRANT DELETE ON `%`.* TO {0}"],
        "CREATE VIEW on `{2}`.*": ["GRANT CREATE VIEW ON `{2}`.* TO {0}"],
        "TRIGGER on `{1}`.* as PUBLIC": ["GRANT TRIGGER ON `{1}`.* TO PUBLIC"],
        "FILE, SUPER on *.*": ["GRANT FILE, SUPER ON *.* TO {0}"],
        "ALL PRIVILEGES on `{1}`.`layer_people_member`": ["GRANT ALL ON `{1}`.layer_people_member TO {0}"],
        "ALL PRIVILEGES, GRANT OPTION on `{1}`.*": ["GRANT ALL ON `{1}`.* TO {0} WITH GRANT OPTION"],
        ": GRANT OPTION on `{1}`.`layer_library_section`": [
            "GRANT SELECT ON `{1}`.layer_library_section TO {0} WITH GRANT OPTION"
        ],
        "EXECUTE on PROCEDURE `{1}`.`p`": [
            "CREATE PROCEDURE `{1}`.p() SELECT 1",
            "GRANT EXECUTE ON PROCEDURE `{1}`.p TO {0}",
        ],
        "whatever `{1} hidden` may do": ["CREATE ROLE `{1} hidden`", "GRANT `{1} hidden` TO {0}"],
        "whatever `{1} outer` may do": [
            "CREATE ROLE `{1} inner`",
            "CREATE ROLE `{1} outer`",
            "GRANT LOCK TABLES ON `{1}`.* TO `{1} inner`",
            "GRANT `{1} inner` TO `{1} outer`",
            "GRANT `{1} outer` TO {0}",
            "SET DEFAULT ROLE `{1} outer` FOR {0}",
        ],
    },
}
#: Grants that the check does not look at.
READS = {
    "postgresql": [
        'CREATE ROLE "{0} readers"',
        'GRANT SELECT ON layer_people_member TO "{0} readers"',
        'GRANT "{0} readers" TO {0}',
        "GRANT pg_read_all_data TO {0}",
        'GRANT CONNECT ON DATABASE "{1}" TO {0}',
        "CREATE FUNCTION g() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE SEQUENCE s3",
        "GRANT SELECT ON SEQUENCE s3 TO {0}",
        "GRANT SELECT (id) ON layer_people_member TO {0}",
        "CREATE TABLE dropped (a int, b int)",
        "GRANT INSERT (b) ON dropped TO {0}",
        "ALTER TABLE dropped DROP b",
    ],
    "mysql": [
        "GRANT SHOW DATABASES ON *.* TO {0}",
        "GRANT INSERT ON `{1}_2`.* TO {0}",
        "GRANT SELECT (id) ON `{1}`.layer_people_member TO {0}",
    ],
}

Outcomes = dict[str, tuple[str, bool]]
#: Makes every attempt: `try_all("router guard", "reader")`, with these barriers, as this user.
TryAll = Callable[[str, str], Outcomes]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """A column of the table."""
    return str(request.param)


@dataclasses.dataclass(frozen=True)
class Upstream:
    """Another application's database, and a project whose mirror it is. Attributes: URLs, and names of databases."""

    kind: str
    project: Bake
    tools: Environment
    pristine: str
    name: str
    owner_url: str
    reader_url: str
    server_url: str
    primary_url: str

    def run(self, user: str, code: str, last_word: str) -> Any:
        """Run code in production, with the mirror's URL for this user, and return what it prints last."""
        words = (self.kind, self.pristine, self.owner_url, self.server_url, last_word)
        output = self._run(user, "-c", code.replace("{restore}", RESTORE), *words)
        return json.loads(output.splitlines()[-1])

    def check(self, user: str) -> list[str]:
        """Return the warnings of `check --deploy --database mirror` on the rights of this user."""
        output = self._run(user, "manage.py", "check", "--deploy", "--database", "mirror", code=None)
        return [line for line in output.splitlines() if re.search(r"\(databases\.W00[34]\)", line)]

    def shell(self, database: str, statement: str) -> tuple[bool, str]:
        """Send a statement by `dbshell` as the owner, and return whether the client succeeded, and what it said."""
        option = {"postgresql": ["-c"], "mysql": ["-e"], "sqlite": []}[self.kind]
        words = "manage.py", "dbshell", "--database", database, "--", *option, statement
        output = self._run("owner", *words, code=None)
        return "returned non-zero exit status" not in output, output

    def _run(self, user: str, *words: str, code: int | None = 0) -> str:
        production = {
            "DJANGO_SETTINGS_MODULE": "databases.tests.production_settings",
            "OWN_SETTINGS": "config.settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "example.com",
            "DATABASE_URL": self.primary_url,
            "MIRROR_DATABASE_URL": self.reader_url if user == "reader" else self.owner_url,
            # Django tells psql no host that stands among the options, as the folder of a socket does.
            "PGHOST": parse_qs(urlsplit(self.owner_url).query).get("host", [""])[0],
        }
        return self.project.run(self.tools, "python", *words, env=production, code=code)


@pytest.fixture
def upstream(
    engine: str,
    bake: Baker,
    environment: Environments,
    database_names: Iterator[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Upstream:
    """Another application's database on that engine, whose `reader` is the one of the README."""
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
        if kind == "mysql":
            # A role is granted to who creates it, so each test has an owner who knows the roles of no other.
            server.execute(f"CREATE USER 'owner_{name}'@'%' IDENTIFIED BY 'owns all'")
            server.execute(f"GRANT ALL PRIVILEGES ON *.* TO 'owner_{name}'@'%' WITH GRANT OPTION")
            owner_url = f"mysql://owner_{name}:{quote('owns all')}@{owner_url.rpartition('@')[2]}"
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": pristine_url}
    project.run(tools, "python", "-c", MAKE_TABLES + LOAD_ROWS, *APPS, env=making)
    reader_url = owner_url if kind == "sqlite" else make_reader(project, server, pristine, name, owner_url)
    primary_url = settings.sqlite(tmp_path)("primary")
    return Upstream(kind, project, tools, pristine, name, owner_url, reader_url, server_url, primary_url)


@pytest.fixture
def try_all(upstream: Upstream) -> TryAll:
    """Return what makes the attempts."""
    return lambda barriers, user: cast(Outcomes, upstream.run(user, ATTEMPT, barriers))


def test_each_write_is_refused_by_the_barriers_in_the_guide(
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


def test_the_check_verifies_the_role_that_was_measured(
    engine: str, upstream: Upstream, request: pytest.FixtureRequest
) -> None:
    upstream.run("owner", MAKE_A_COPY, "")
    # SQLite has no users.
    reader = None if engine == "SQLite" else len(upstream.check("reader"))
    reported = reader, len(upstream.check("owner"))
    assert reported[1]
    assert not reader
    if request.config.getoption("--update-refusals"):
        refusals.update_verified(engine, reported)
    assert refusals.read_verified()[engine] == reported, UPDATE


def test_every_right_beside_reading_is_reported_with_the_statement_that_takes_it_away(
    engine: str, upstream: Upstream
) -> None:
    if engine == "SQLite":
        upstream.run("owner", MAKE_A_COPY, "")
        (warning,) = upstream.check("owner")
        assert "The mirror's user may do more than read: this process may write the file." in warning
        return
    reader = f"reader_{upstream.name}"
    account = reader if upstream.kind == "postgresql" else f"`{reader}`@`%`"
    names = account, upstream.name, re.sub("[0-9]$", "_", upstream.name)

    def put(texts: Iterable[str]) -> list[str]:
        return [text.format(*names) for text in texts]

    grants = GRANTS[upstream.kind]
    statements = json.dumps([[], *map(put, grants.values()), put(READS[upstream.kind])])
    start, *found, end = upstream.run("reader", RIGHTS, statements)
    # The README's reader may only read.
    assert start == [[], []]
    for words, (before, after) in zip(put(grants), found, strict=True):
        assert words in str([message for message, _ in before])
        assert after == [], words
    assert end == [[], []]


def test_dbshell_reads_the_mirror_and_does_not_write_it(engine: str, upstream: Upstream) -> None:
    client = {"postgresql": "psql", "mysql": "mysql", "sqlite": "sqlite3"}[upstream.kind]
    if not shutil.which(client):
        pytest.skip(f"{client} is not installed")
    upstream.run("owner", MAKE_A_COPY, "")
    insert = "INSERT INTO layer_people_organisation (name) VALUES ('by the shell')"
    select = "SELECT name FROM layer_people_organisation"
    succeeded, output = upstream.shell("mirror", insert)
    assert not succeeded
    assert re.search("read-only transaction|READ ONLY transaction|readonly database", output)
    succeeded, output = upstream.shell("mirror", select)
    assert succeeded
    assert "Aperture Science" in output
    assert "by the shell" not in output
    # The control: the same client and user can write the same database as another alias.
    control = dataclasses.replace(upstream, primary_url=upstream.owner_url)
    assert control.shell("default", insert)[0]
    assert "by the shell" in control.shell("default", select)[1]


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


def test_the_guide_shows_what_was_measured(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs/reference/writes-to-a-mirror.md"
    if request.config.getoption("--update-refusals"):
        page.write_text(refusals.put_into(page.read_text(encoding="utf-8")), encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert refusals.put_into(text) == text, UPDATE


def test_a_table_has_a_row_for_every_way_and_a_column_for_every_engine() -> None:
    measured: dict[str, Any] = {"A": {"`x`": ["router", "session"], "z": []}, "B": {"y": ["guard"], "`x`": ["role"]}}
    verified = {"A": (None, 1), "B": (0, 2), "C": (1, 1)}
    assert refusals.table_of_verified(verified).splitlines() == [
        "| engine | the README's user | the owner | role verified |",
        "|---|---|---|---|",
        "| A | no users | 1 right | |",
        "| B | nothing | 2 rights | yes |",
        "| C | 1 right | 1 right | **no** |",
    ]
    assert refusals.table(measured).splitlines() == [
        "| way of writing | A | B |",
        "|---|---|---|",
        "| `x` | router, session | role |",
        "| z | **nothing** | |",
        "| y | | guard |",
    ]
