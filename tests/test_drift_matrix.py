"""What `check_mirror` says of each kind of change: all at once, on each engine, as the README's reader."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import environments, settings
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.drift import findings
from tests.support.environments import Environment
from tests.support.readers import make_reader
from tests.support.suites import remove_examples
from tests.support.variants import DJANGO

IMPORT = ("python", "manage.py", "import_mirror_models")
CHECK = ("python", "manage.py", "check_mirror", "--json")

#: By engine, the fixture of its server, and its types where engines differ.
SERVERS = {"postgresql": "postgres", "mysql": "mariadb", "sqlite": ""}
TYPES = {
    "postgresql": {
        "aware": "timestamptz",
        "naive": "timestamp",
        "mood": "mood",
        "moods": "moods",
    },
    "mysql": {
        "aware": "datetime(6)",
        "naive": "datetime(6)",
        "mood": "enum('sad', 'ok')",
        "moods": "enum('sad', 'ok', 'so so')",
    },
    "sqlite": {
        "aware": "datetime",
        "naive": "datetime",
        "mood": "varchar(3)",
        "moods": "varchar(5)",
    },
}
ENUMERATIONS = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE moods AS ENUM ('sad', 'ok', 'so so')"
#: The columns of each table before its change. The last is no column.
COLUMNS = {
    "id": "integer NOT NULL PRIMARY KEY",
    "whole": "integer NOT NULL",
    "large": "bigint NOT NULL",
    "short": "varchar(20) NOT NULL",
    "note": "text NULL",
    "aware": "{aware} NOT NULL",
    "naive": "{naive} NOT NULL",
    "day": "date NOT NULL",
    "ratio": "double precision NOT NULL",
    "price": "numeric(8, 2) NOT NULL",
    "mood": "{mood} NOT NULL",
    "code": "varchar(9) NOT NULL UNIQUE",
    "other_id": "integer NOT NULL REFERENCES drift_other (id)",
    "": "UNIQUE (whole, short)",
}
#: By the name of a table, what becomes of its columns, and what is said: level, kind and column; and what is
#: said instead on one engine.
CHANGES: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "unchanged": ({}, "", {}),
    "column_missing": ({"note": ""}, "error missing column note", {}),
    "column_added": ({"mood": "{mood} NOT NULL, extra integer"}, "info extra column extra", {}),
    "int_to_bigint": ({"whole": "bigint NOT NULL"}, "error range whole", {"sqlite": ""}),
    "key_to_bigint": ({"id": "bigint NOT NULL PRIMARY KEY"}, "error range id", {"sqlite": ""}),
    "bigint_to_int": ({"large": "integer NOT NULL"}, "", {}),
    "int_to_smallint": ({"whole": "smallint NOT NULL"}, "", {}),
    "varchar_to_int": ({"short": "integer NOT NULL"}, "error type short", {}),
    "varchar_longer": ({"short": "varchar(40) NOT NULL"}, "info limits short", {}),
    "text_to_varchar": ({"note": "varchar(40) NULL"}, "", {}),
    "aware_to_naive": ({"aware": "{naive} NOT NULL"}, "", {"postgresql": "error type aware"}),
    "naive_to_aware": ({"naive": "{aware} NOT NULL"}, "", {"postgresql": "error type naive"}),
    "date_to_timestamp": ({"day": "{naive} NOT NULL"}, "error type day", {}),
    "timestamp_to_date": ({"naive": "date NOT NULL"}, "error type naive", {}),
    "float_to_numeric": ({"ratio": "numeric(8, 2) NOT NULL"}, "error type ratio", {}),
    "precision_changed": ({"price": "numeric(12, 4) NOT NULL"}, "info limits price", {"sqlite": ""}),
    "not_null_dropped": ({"whole": "integer NULL"}, "error null whole", {}),
    "not_null_added": ({"note": "text NOT NULL"}, "info not null note", {}),
    "key_dropped": ({"id": "integer NOT NULL"}, "error primary key", {}),
    "key_of_others": (
        {"id": "integer NOT NULL", "": "UNIQUE (whole, short), PRIMARY KEY (id, whole)"},
        "error primary key",
        {},
    ),
    "unique_dropped": ({"code": "varchar(9) NOT NULL"}, "error unique", {}),
    "unique_added": ({"large": "bigint NOT NULL UNIQUE"}, "info unique", {}),
    "together_dropped": ({"": "CHECK (whole > 0)"}, "error unique", {}),
    "foreign_key_dropped": ({"other_id": "integer NOT NULL"}, "info no foreign key other_id", {}),
    "enum_value_added": ({"mood": "{moods} NOT NULL"}, "info limits mood", {}),
    "enum_to_text": ({"mood": "text NOT NULL"}, "info limits mood", {}),
    "several": (
        {"whole": "bigint NULL", "note": "", "code": "varchar(9) NOT NULL", "day": "{naive} NOT NULL"},
        "error missing column note, error null whole, error range whole, error type day, error unique",
        {"sqlite": "error missing column note, error null whole, error type day, error unique"},
    ),
}
#: The same for tables that are dropped, with what takes their place.
DROPPED = {
    "missing": ("", "error missing table"),
    "viewed": ("CREATE VIEW drift_viewed AS SELECT * FROM drift_unchanged", "error view"),
}
UNREADABLE = "error unreadable table"
#: What another import does not change.
STAYS = {
    "key_dropped": "error primary key",
    "missing": DROPPED["missing"][1],
    "viewed": DROPPED["viewed"][1],
    "unreadable": UNREADABLE,
}
#: Why a wider range is an error: the row is there, and no filter finds it.
GET = """
import django
django.setup()
from drift.models import KeyToBigint
print([[row.pk for row in rows] for rows in (KeyToBigint.objects.all(), KeyToBigint.objects.filter(pk=3_000_000_000))])
"""
ROW = "INSERT INTO drift_key_to_bigint VALUES (3000000000, 1, 1, 'x', 'x', {0}, {0}, '2026-01-01', 1, 1, 'ok', 'x', 1)"


@pytest.fixture(params=SERVERS)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(
    engine: str,
    bake: Baker,
    environment: Callable[[str], Environment],
    database_names: Iterator[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> tuple[Callable[..., str], Callable[[str], object], Bake]:
    """Return what runs a command in a project, what runs a statement as the mirror's owner, and the project."""
    project = bake(primary_database=engine, secondary_database="read-only-mirror", django_version=DJANGO or "5.2")
    tools = environment(project.answers["django_version"])
    remove_examples(project, tools)
    production = {"SECRET_KEY": settings.SECRET_KEY, "ALLOWED_HOSTS": "example.com"}
    production["DJANGO_SETTINGS_MODULE"] = "config.settings"
    if engine == "sqlite":
        urls = settings.sqlite(tmp_path)
        production |= {"DATABASE_URL": urls("site"), "MIRROR_DATABASE_URL": urls("upstream")}

        def execute(statement: str) -> None:
            with contextlib.closing(sqlite3.connect(tmp_path / "upstream.sqlite3", isolation_level=None)) as connection:
                connection.execute(statement)

    else:
        if engine == "mysql" and not tools.has_mysqlclient:
            pytest.skip(environments.NO_MYSQLCLIENT)
        server: DatabaseServer = request.getfixturevalue(SERVERS[engine])
        name = next(database_names)
        url = server.create(name)
        reader = make_reader(project, server, name, name, url)
        production |= {"DATABASE_URL": server.create(next(database_names)), "MIRROR_DATABASE_URL": reader}

        def execute(statement: str) -> None:
            server.execute(statement.replace("READER", f"reader_{name}"), name)

    def run(*words: str, code: int = 0) -> str:
        return project.run(tools, *words, env=production, code=code)

    return run, execute, project


def test_each_kind_of_change_is_said_as_what_it_is(
    engine: str, site: tuple[Callable[..., str], Callable[[str], object], Bake]
) -> None:
    run, execute, project = site
    if engine == "postgresql":
        execute(ENUMERATIONS)
    execute("CREATE TABLE drift_other (id integer NOT NULL PRIMARY KEY)")
    execute("INSERT INTO drift_other VALUES (1)")
    # On MariaDB no right on one table can be taken away from a user that has it on the database.
    unreadable = ["unreadable"] * (engine == "postgresql")
    for name in (*CHANGES, *DROPPED, *unreadable):
        execute(create(engine, name, {}))
    run(*IMPORT, "--all")
    settings_file = project.read("config/settings.py")
    project.write(
        "config/settings.py", f"{settings_file}\nINSTALLED_APPS += ['drift']\nAPP_DATABASES['drift'] = 'mirror'\n"
    )

    # The control: nothing has changed, and nothing is said.
    assert findings(run(*CHECK)) == []

    for name, (changed, *_) in CHANGES.items():
        if changed:
            execute(f"DROP TABLE drift_{name}")
            execute(create(engine, name, changed))
    for name, (instead, _) in DROPPED.items():
        execute(f"DROP TABLE drift_{name}")
        execute(instead or "SELECT 1")
    for name in unreadable:
        execute(f"REVOKE SELECT ON drift_{name} FROM READER")  # noqa: S608
    expected = {name: elsewhere.get(engine, said) for name, (_, said, elsewhere) in CHANGES.items()}
    expected |= {name: said for name, (_, said) in DROPPED.items()} | dict.fromkeys(unreadable, UNREADABLE)
    found = said(run(*CHECK, code=1))
    assert found == {name: said for name, said in expected.items() if said}
    print("\n".join([engine, *(f"{name}: {expected[name] or 'nothing'}" for name in expected)]))

    # What an error means, and what an import does about it.
    execute(ROW.format("'2026-01-01'"))
    hides = engine != "sqlite"
    assert run("python", "-c", GET).endswith(f"[[3000000000], {[] if hides else [3000000000]}]\n")
    run(*IMPORT)
    assert run("python", "-c", GET).endswith("[[3000000000], [3000000000]]\n")
    left = {name: text for name, text in said(run(*CHECK, code=1)).items() if "error" in text}
    assert left == {name: text for name, text in STAYS.items() if name in expected}


def create(engine: str, name: str, changed: dict[str, str]) -> str:
    """Return the statement that creates a table with the columns above, some of them changed, or left out if empty."""
    lines = [f"{column} {text}" for column, text in (COLUMNS | changed).items() if text]
    return f"CREATE TABLE drift_{name} ({', '.join(lines)})".format(**TYPES[engine])


def said(output: str) -> dict[str, str]:
    """Return level, kind and column of what `check_mirror` says, by table."""
    found: dict[str, set[str]] = {}
    for each in findings(output):
        text = f"{each['level']} {each['kind']} {each['column']}".strip()
        found.setdefault(each["table"].removeprefix("drift_"), set()).add(text)
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}
