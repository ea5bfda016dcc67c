"""A tenant's user that attacks: before each command of a fleet it prepares its database and its server.

With `-s`, the attempts and their results are printed.
"""

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import settings
from tests.support.attacks import CODE, ENDLESS, ESCAPES, HELD, HOLDING, OBSTACLES, STRIKE, TRAPS, Attempt
from tests.support.bakes import Bake
from tests.support.databases import NotInstalledError
from tests.support.environments import Environment
from tests.support.forks import Forks
from tests.support.postgres import AnyPostgres, Postgres
from tests.support.system_postgres import SystemPostgres
from tests.support.variants import DJANGO

KEEPER = "keeper"
PG_HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
#: As far as these tests know, nothing that ends takes that long. In seconds.
LIMITS = '{"answer": 3, "work": 15}'

#: Runs a command with short limits; with a word, as if every command entered databases as the server's user.
COMMAND = f"""
import sys
import django
django.setup()
from django.conf import settings
from django.core.management import CommandError, call_command
from databases.tenants import maintenance
from databases.tenants.managed import migrate, provision
from databases.fleet import purge
settings.TENANT_CACHE_SECONDS = 0.1
maintenance.SECONDS.update({LIMITS})
as_keeper, *words = sys.argv[1:]
if as_keeper:
    def inside(tenant, limit="work"):
        return maintenance.maintenance_connection(tenant.alias, maintenance.maintenance_settings(tenant))
    migrate.inside = provision.inside = purge.inside = inside
try:
    call_command(*words)
except CommandError as error:
    sys.exit(f"CommandError: {{error}}")
"""

PREPARE = """
import django
django.setup()
from django.core.management import call_command
from databases.tenants import use_tenant
from projects.models import DataPoint
call_command("migrate", verbosity=0)
for slug in ("acme", "horza"):
    call_command("create_tenant", slug, server="default")
    with use_tenant(slug):
        DataPoint.objects.bulk_create(DataPoint(name=f"{slug} {n}", value=n) for n in range(3))
call_command("prepare_tenants", "1")
"""

#: Prints how a tenant's user logs in.
LOGIN = """
import json, sys
import django
django.setup()
from databases.tenants.registry import find
tenant = find(sys.argv[1])
config = tenant.connection_settings()
print(json.dumps({"user": config["USER"], "password": str.__str__(config["PASSWORD"]), "dbname": config["NAME"],
    "host": config["HOST"] or config["OPTIONS"]["host"], "uid": tenant.uid.hex, "status": tenant.status}))
"""

#: The server's user: its rights, its password and its settings.
KEEPERS = f"""
SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolconnlimit, rolpassword,
(SELECT array_agg(setconfig::text) FROM pg_db_role_setting WHERE setrole = r.oid)
FROM pg_authid r WHERE rolname = '{KEEPER}'
"""  # noqa: S608
ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^(tenant_|pg_)' ORDER BY 1"


Session = psycopg.Connection[tuple[object, ...]]


def filled(sql: str, names: dict[str, str], session: Session) -> bytes:
    """Return SQL with the values of what stands in braces, and with the user of the session."""
    for name, value in names.items():
        sql = sql.replace("{" + name + "}", value)
    return sql.replace("SESSION_USER", session.info.user).encode()


class Fleet:
    """A project with a fleet on two servers, and a tenant that attacks."""

    def __init__(self, project: Bake, tools: Environment, servers: dict[str, AnyPostgres], folder: Path) -> None:
        self.servers = servers
        self.folder = folder
        self.pwned = folder / "pwned"
        self.table: dict[tuple[str, str], str] = {}
        urls = {
            name: server.url("{name}").replace("postgres:@", f"{KEEPER}:{KEEPER}@").replace("%7Bname%7D", "{name}")
            for name, server in servers.items()
        }
        self.env = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": ".example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": urls["default"].replace("{name}", "registry"),
            "TENANT_DATABASE_URL": urls["default"],
            "TENANT_SERVERS": ",".join(f"{name}={url}" for name, url in urls.items() if name != "default"),
            "TENANT_PASSWORD_KEYS": "b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U=",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        if isinstance(servers["default"], Postgres):
            self.env["PATH"] = f"{servers['default'].programs[0]}{os.pathsep}{os.environ['PATH']}"
        self.project = project
        self.forks = Forks(project, tools, self.env)
        self.forks.run(PREPARE)
        self.seen = {name: len(self._log(name)) for name in servers}
        self.before = self.state()

    def manage(self, *words: str | Path, as_keeper: str = "") -> str:
        """Run a command, whatever comes of it, and return its output."""
        return self.forks.run(COMMAND, as_keeper, *words, exit_code=None)

    def login(self, slug: str) -> dict[str, str]:
        """Return how a tenant's user logs in, as the registry has it."""
        found: dict[str, str] = json.loads(self.forks.run(LOGIN, slug))
        return found

    def names(self) -> dict[str, str]:
        """Return what stands in braces in the attempts of the attacker."""
        own, victim = self.login("acme"), self.login("horza")
        other = {"_a": "_b", "_b": "_a"}[own["user"][-2:]]
        return {
            "keeper": KEEPER, "file": str(self.pwned), "own": own["dbname"], "owner": own["user"][:-2],
            "other_user": own["user"][:-2] + other, "victim": victim["dbname"], "victim_user": victim["user"],
            "victim_owner": victim["user"][:-2], "victim_uid": victim["uid"],
        }  # fmt: skip

    def connect(self, slug: str = "acme", database: str = "") -> Session:
        """Log in as a tenant's user, to its own database or another one."""
        login = self.login(slug)
        return psycopg.connect(
            host=login["host"], user=login["user"], password=login["password"],
            dbname=database or login["dbname"], autocommit=True,
            options="-c search_path=public,pg_catalog -c statement_timeout=0 -c default_transaction_read_only=off",
        )  # fmt: skip

    def attempt(self, attempts: list[Attempt], database: str = "") -> dict[str, str | None]:
        """Try each as the attacker, in a session of its own settings; return the SQLSTATE of each that was refused."""
        names, results = self.names(), dict[str, str | None]()
        try:
            connection = self.connect(database=database)
        except psycopg.OperationalError as error:
            # The attack before has locked itself out.
            return {"log in": str(error)}
        with connection:
            for each in attempts:
                try:
                    connection.execute(filled(each.sql, names, connection))
                    results[each.name] = None
                except psycopg.Error as error:
                    results[each.name] = error.sqlstate
                    connection.rollback()
        return results

    def plant(self, attempts: list[Attempt]) -> dict[str, str | None]:
        """Prepare the attacker's database, and the maintenance database of its server, before a command."""
        return self.attempt([Attempt("strike", STRIKE), *attempts]) | self.attempt(TRAPS, "postgres")

    def strikes(self) -> list[tuple[str, str, str]]:
        """Return who has run the attacker's code since the last call: the session's user, the database, the code."""
        found = []
        for name in self.servers:
            log = self._log(name)
            found += re.findall(r"LOG:  struck: (.*), (.*), (.*)", log[self.seen[name] :])
            self.seen[name] = len(log)
        return found

    def state(self) -> list[object]:
        """Return all that no attack may change: the server's user, the roles, the victim's rows, role and database."""
        victim, default = self.login("horza"), self.servers["default"]
        rows = default.execute("SELECT id, name, value FROM projects_datapoint ORDER BY id", victim["dbname"])
        role = default.execute(
            f"SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '{victim['user']}'"  # noqa: S608
        )
        database = default.execute(
            "SELECT pg_get_userbyid(datdba), datallowconn, datconnlimit, datacl::text FROM pg_database"  # noqa: S608
            f" WHERE datname = '{victim['dbname']}'"
        )
        servers = [(server.execute(KEEPERS), server.execute(ROLES)) for server in self.servers.values()]
        return [victim["status"], rows, role, database, servers]

    def check(self, command: str) -> list[tuple[str, str, str]]:
        """Assert that a command has run nothing of the attacker's as anyone else, and return who ran it."""
        strikes = self.strikes()
        own = self.names()["owner"]
        others = [each for each in strikes if each[0] not in (f"{own}_a", f"{own}_b")]
        assert others == [], f"{command}: {others}"
        assert self.state() == self.before, command
        assert not self.pwned.exists(), command
        return strikes

    def close(self) -> None:
        """End the process of the project, and empty the servers."""
        self.forks.close()
        for server in self.servers.values():
            for (name,) in server.execute("SELECT datname FROM pg_database WHERE datname ~ '^(tenant|registry)'"):
                server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            server.execute("DROP SCHEMA public CASCADE")
            server.execute("CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC")
            for (name,) in server.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^tenant' ORDER BY 1 DESC"):
                server.execute(f'DROP ROLE "{name}"')

    def _log(self, name: str) -> str:
        return Path(self.folder / name / "log").read_text(errors="replace")


@pytest.fixture(scope="module", params=[SystemPostgres, Postgres], ids=["of Debian", "the newest"])
def servers(shared: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, dict[str, AnyPostgres]]]:
    """Two servers whose users log in with passwords. PUBLIC may create, as on one that was upgraded from version 14."""
    folder = Path(tempfile.mkdtemp(dir=shared))
    try:
        made: dict[str, AnyPostgres] = {name: request.param(folder / name) for name in ("default", "eu")}
    except NotInstalledError as error:
        pytest.skip(str(error))
    for name, server in made.items():
        server.start()
        (folder / name / "pg_hba.conf").write_text(PG_HBA)
        server.execute("SELECT pg_reload_conf()")
        server.execute(f"CREATE ROLE {KEEPER} LOGIN CREATEDB CREATEROLE PASSWORD '{KEEPER}'")
        for database in ("postgres", "template1"):
            server.execute("GRANT ALL ON SCHEMA public TO PUBLIC", database)
    yield folder, made
    for server in made.values():
        server.stop()


@pytest.fixture
def fleet(
    bake: Baker, environment: Callable[[str], Environment], servers: tuple[Path, dict[str, AnyPostgres]]
) -> Iterator[Fleet]:
    """A fleet on these servers. The first one has the registry, the attacker and the victim."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="fleet", **version)
    folder, made = servers
    made["default"].execute(f"CREATE DATABASE registry OWNER {KEEPER}")
    # As the README of a project says.
    made["default"].execute("REVOKE CONNECT ON DATABASE registry FROM PUBLIC")
    fleet = Fleet(project, environment(str(project.answers["django_version"])), made, folder)
    yield fleet
    fleet.close()


def commands(folder: Path) -> list[tuple[str | Path, ...]]:
    """Return all commands that work on tenants, in an order in which each has something to do."""
    return [
        ("create_tenant", "acme"),
        ("migrate_databases", "--check"),
        ("databases",),
        ("migrate_tenants",),
        ("migrate_tenants", "--check"),
        ("migrate_databases",),
        ("list_tenants",),
        ("rotate_credentials", "acme"),
        ("suspend_tenant", "acme"),
        ("resume_tenant", "acme"),
        ("rename_tenant", "acme", "umbrella"),
        ("tenant_command", "--all", "migrate", "--check"),
        ("prepare_tenants", "2"),
        ("create_tenant", "chell", "--server", "default"),
        ("move_tenant", "acme", "--server", "eu"),
        ("move_tenant", "acme", "--server", "default"),
        ("archive_tenant", "acme", "--to", folder),
        ("verify_archives", "acme"),
        ("restore_tenant", "acme"),
        ("purge_archived_tenants", "--older-than", "0d"),
    ]


MORE = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunSQL("CREATE TABLE more (id integer)")]
"""


@pytest.mark.parametrize("attempts", [CODE, CODE + OBSTACLES], ids=["code", "code and obstacles"])
def test_no_command_runs_the_code_of_a_tenant_as_anyone_else(
    fleet: Fleet, tmp_path: Path, attempts: list[Attempt]
) -> None:
    for words in commands(tmp_path / "archives"):
        fleet.plant(attempts)
        fleet.strikes()
        if words == ("migrate_tenants",):
            folder = fleet.project.path / "projects/migrations"
            last = max(file.stem for file in folder.glob("0*.py"))
            (folder / "0099_more.py").write_text(MORE.format(before=last))
        name = " ".join(map(str, words[:3]))
        output = fleet.manage(*words)
        strikes = fleet.check(name)
        print(f"{name:45} ran {len(strikes):3} x as the tenant: {output.strip().splitlines()[-1:] or ''}")
        assert "Traceback" not in output, f"{name}: {output}"
        if words[0] in ("migrate_databases", "migrate_tenants", "tenant_command"):
            assert re.search("horza: (up to date|done|as its|0 applied|1 applied|1 pending)", output), output


def test_the_attacks_bite_where_a_command_enters_as_the_servers_user(fleet: Fleet) -> None:
    attempts = CODE + OBSTACLES[:1]
    planted = fleet.plant(attempts)
    assert {each.name: planted[each.name] for each in attempts if planted[each.name] not in (None, *each.refused)} == {}
    fleet.strikes()
    fleet.manage("create_tenant", "acme", as_keeper="yes")
    fleet.manage("migrate_tenants", "--check", as_keeper="yes")
    assert {"view", "trigger", "policy", "pg_class"} <= {what for who, _, what in fleet.strikes() if who == KEEPER}


def test_a_tenant_reaches_nothing_outside_its_database(fleet: Fleet) -> None:
    names = fleet.names()
    for database in (names["own"], "postgres"):
        # A session that an attempt is to end.
        with psycopg.connect(fleet.env["DATABASE_URL"]):
            found = fleet.attempt(ESCAPES, database)
        for each in ESCAPES:
            print(f"{each.name:45} in {database:12}: refused by the server, {found[each.name]}")
        assert {each.name: found[each.name] for each in ESCAPES if found[each.name] not in each.refused} == {}
    assert fleet.check("attempts") == []
    found_there = fleet.servers["default"].execute("SELECT datname FROM pg_database")
    entered = []
    for (name,) in found_there:
        with contextlib.suppress(psycopg.OperationalError):
            fleet.connect(database=str(name)).close()
            entered.append(name)
    # PUBLIC may connect to the last two, which only a superuser can change, and one is reported.
    assert {*entered} == {names["own"], "postgres", "template1"}
    checked = fleet.manage("check", "--deploy", "--database", "default")
    assert re.findall("(?s)may connect to '(.*?)', on the server '(.*?)'", checked) == [
        ("postgres", name) for name in fleet.servers
    ], checked
    assert "may connect to 'registry'" not in checked


def test_a_tenant_that_holds_on_delays_a_command_within_its_limits(fleet: Fleet, tmp_path: Path) -> None:
    names = fleet.names()
    open_sessions = [fleet.connect() for _ in range(3)] + [fleet.connect(database="postgres") for _ in range(2)]
    fleet.attempt([Attempt("wait", ENDLESS), *HOLDING])
    for session, sql in zip(open_sessions, HELD, strict=True):
        session.execute(filled(sql, names, session))
    for words in commands(tmp_path / "archives"):
        if words[0] in ("databases", "tenant_command"):
            # They use connections as pages do, which have the limits that the URL of the server sets.
            continue
        began = time.monotonic()
        output = fleet.manage(*words)
        name = " ".join(map(str, words[:3]))
        print(f"{name:45} took {time.monotonic() - began:3.0f} s: {output.strip().splitlines()[-1:]}")
        fleet.check(name)
        assert "Traceback" not in output, f"{name}: {output}"
        if words[0] in ("migrate_databases", "migrate_tenants"):
            assert re.search("horza: (up to date|done|as its|0 applied|1 applied|1 pending)", output), output
