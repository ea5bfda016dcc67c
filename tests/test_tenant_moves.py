"""Tenants on real servers: moved, archived, restored, their users changed; killed in the middle, served meanwhile."""

import contextlib
import json
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import Baker
from tests.support import commands, environments, settings
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer, NotInstalledError
from tests.support.environments import Environment
from tests.support.mariadb import Mariadb
from tests.support.own_postgres import wait_until
from tests.support.system_postgres import SystemPostgres
from tests.support.variants import DJANGO

KEEPER = "keeper"
#: With characters that a URL must encode.
PASSWORD = "s3cret: of/the 100% keeper"
#: Roles log in with their passwords; the administrator is whoever may read the socket's folder.
PG_HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
KEEPER_OF_MARIADB = (
    f"CREATE OR REPLACE USER {KEEPER} IDENTIFIED BY '{PASSWORD}'",
    f"GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO {KEEPER}",
    f"GRANT ALL ON registry.* TO {KEEPER}",
    rf"GRANT ALL ON `tenant\_%`.* TO {KEEPER} WITH GRANT OPTION",
)
ROWS = 200

#: Runs a command as `manage.py` does, and is killed or halted before or after a function of the project.
COMMAND = """
import importlib, os, pathlib, signal, sys, time
import django
django.setup()
from django.conf import settings
from django.core.management import CommandError, call_command
settings.TENANT_CACHE_SECONDS = 0.2
place, when, file, *words = sys.argv[1:]
if place:
    module, _, name = place.rpartition(".")
    found = importlib.import_module("databases.tenants." + module)
    real = getattr(found, name)
    def stop():
        if not file:
            os.kill(os.getpid(), signal.SIGKILL)
        pathlib.Path(file).touch()
        while pathlib.Path(file).exists():
            time.sleep(0.01)
    def stopping(*arguments, **options):
        if when == "before":
            stop()
        result = real(*arguments, **options)
        if when == "after":
            stop()
        return result
    setattr(found, name, stopping)
try:
    call_command(*words)
except CommandError as error:
    sys.exit(f"CommandError: {error}")
"""

FILL = """
import django
django.setup()
import sys
from databases.tenants import use_tenant
from projects.models import DataPoint
for slug in ("acme", "horza", "chell"):
    with use_tenant(slug):
        DataPoint.objects.bulk_create(DataPoint(name=f"o'brien {slug} {n}", value=n / 7) for n in range(ROWS))
""".replace("ROWS", str(ROWS))

#: Reads and writes as other processes do, each time by what the registry says now, until a file is gone.
LOAD = """
import json, pathlib, sys, threading, time
import django
django.setup()
from django.conf import settings
from django.db import Error, connections
settings.TENANT_CACHE_SECONDS = 0.2
from databases.tenants import use_tenant
from projects.models import DataPoint
file = pathlib.Path(sys.argv[1])
seen = {"reads": 0, "written": [], "refused": [], "failed": []}
def once(slug, work):
    try:
        with use_tenant(slug):
            work()
        return True
    except Error as error:
        is_refused = type(error).__name__ == "TenantMovingError" or "read-only" in str(error)
        seen["refused" if is_refused else "failed"].append(f"{slug}: {type(error).__name__}: {error}")
        return False
    finally:
        connections.close_all()
def read(slug):
    assert DataPoint.objects.filter(name__startswith=f"o'brien {slug}").count() == ROWS
    seen["reads"] += 1
def readers(slug):
    while file.exists():
        once(slug, lambda: read(slug))
def writers(slug):
    number = 0
    while file.exists():
        number += 1
        name = f"late {slug} {number}"
        if once(slug, lambda: DataPoint.objects.create(name=name, value=number)):
            seen["written"].append([slug, name])
def run(work, slug):
    try:
        work(slug)
    except BaseException as error:
        seen["failed"].append(repr(error))
        raise
file.touch()
threads = [threading.Thread(target=run, args=pair) for pair in (
    (readers, "acme"), (writers, "acme"), (readers, "horza"), (writers, "horza"))]
for thread in threads: thread.start()
for thread in threads: thread.join()
lost = []
for slug, name in seen["written"]:
    with use_tenant(slug):
        if DataPoint.objects.filter(name=name).count() != 1:
            lost.append(name)
print(json.dumps({**seen, "lost": lost}))
""".replace("ROWS", str(ROWS))


#: Writes through a connection that it has had since before the tenant moved, once a file is there.
WRITER = """
import pathlib, sys, time
import django
django.setup()
from django.db import DatabaseError, connections
ready, go = map(pathlib.Path, sys.argv[1:])
with connections["tenant_acme"].cursor() as cursor:
    ready.touch()
    while not go.exists():
        time.sleep(0.01)
    try:
        cursor.execute("INSERT INTO projects_datapoint (name, value, measured) VALUES ('waits', 1, NOW())")
        print("written")
    except DatabaseError as error:
        print("refused", error)
"""

#: Holds a transaction open that has written, until its session is ended.
BUSY = """
import pathlib, sys, time
import django
django.setup()
from django.db import DatabaseError
from databases import atomic_for
from databases.tenants import use_tenant
from projects.models import DataPoint
try:
    with use_tenant("acme"), atomic_for(DataPoint):
        DataPoint.objects.create(name="never committed", value=1)
        pathlib.Path(sys.argv[1]).touch()
        while True:
            DataPoint.objects.count()
            time.sleep(0.05)
except DatabaseError:
    print("its session was ended")
"""


class Site:
    """A project with managed tenants on several servers, and its environment."""

    def __init__(
        self, project: Bake, tools: Environment, servers: dict[str, DatabaseServer], env: dict[str, str]
    ) -> None:
        self.project = project
        self.tools = tools
        self.servers = servers
        self.env = {**env, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONDONTWRITEBYTECODE": "1"}
        self.processes: list[subprocess.Popen[str]] = []

    def python(self, code: str, *words: str, exit_code: int | None = 0) -> str:
        """Run Python in the project."""
        return self.project.run(self.tools, self.tools.python, "-c", code, *words, env=self.env, code=exit_code)

    def manage(self, *words: str, code: int = 0) -> str:
        """Run a command; it never shows a password."""
        output = self.python(COMMAND, "", "", "", *words, exit_code=code)
        assert PASSWORD not in output
        assert quote(PASSWORD, safe="") not in output
        return output

    def kill(self, place: str, when: str, *words: str) -> None:
        """Run a command that is killed before or after a function."""
        self.python(COMMAND, place, when, "", *words, exit_code=-signal.SIGKILL)

    def start(self, code: str, *words: str) -> "subprocess.Popen[str]":
        """Start Python in the project."""
        process = subprocess.Popen(
            [self.tools.python, "-c", code, *words],
            cwd=self.project.path,
            env={**commands.clean_environment(), **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def tenant(self, slug: str) -> dict[str, str]:
        """Return what the registry says of a tenant."""
        return next(row for row in json.loads(self.manage("list_tenants", "--json")) if row["slug"] == slug)

    def content(self, slug: str) -> list[tuple[object, ...]]:
        """Return the rows of a tenant, asked of the server that the registry names, past the project."""
        tenant = self.tenant(slug)
        server = self.servers[tenant["server"]]
        return server.execute("SELECT id, name, value FROM projects_datapoint ORDER BY id", tenant["database"])

    def databases(self) -> dict[str, list[str]]:
        """Return the databases of tenants on each server, templates left out."""
        statement = "SELECT datname FROM pg_database WHERE datname LIKE 'tenant%' ORDER BY 1"
        if isinstance(self.servers["default"], Mariadb):
            statement = (
                "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'tenant%' ORDER BY 1"
            )
        found = {name: [str(row[0]) for row in server.execute(statement)] for name, server in self.servers.items()}
        # New tenants are copied from a database that belongs to nobody.
        return {
            server: [name for name in names if not name.startswith("tenant_template_")]
            for server, names in found.items()
        }

    def write(self, slug: str) -> None:
        """Write one row as the project does, and take it away."""
        self.python(
            "import sys, django; django.setup()\n"
            "from databases.tenants import use_tenant\n"
            "from projects.models import DataPoint\n"
            "with use_tenant(sys.argv[1]): DataPoint.objects.create(name='x', value=1).delete()",
            slug,
        )


def make_site(project: Bake, tools: Environment, servers: dict[str, DatabaseServer], urls: dict[str, str]) -> Site:
    """Return a site with three tenants that have rows."""
    key = "b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U="
    env = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": ".example.com",
        "SITE_DOMAIN": "example.com",
        "DATABASE_URL": urls["default"].replace("{name}", "registry"),
        "TENANT_DATABASE_URL": urls["default"],
        "TENANT_SERVERS": ",".join(f"{name}={url}" for name, url in urls.items() if name != "default"),
        "TENANT_PASSWORD_KEYS": key,
    }
    site = Site(project, tools, servers, env)
    site.manage("migrate", "--verbosity", "0")
    for slug in ("acme", "horza", "chell"):
        site.manage("create_tenant", slug, "--server", "default")
    site.python(FILL)
    return site


@pytest.fixture(scope="module")
def three_servers(shared: Path) -> Iterator[dict[str, SystemPostgres]]:
    """Three PostgreSQL servers whose users log in with passwords."""
    # New ones each time: a worker that others take tests from may come to this module twice.
    folder = Path(tempfile.mkdtemp(dir=shared))
    try:
        servers = {name: SystemPostgres(folder / name) for name in ("default", "eu", "us")}
    except NotInstalledError as error:
        pytest.skip(str(error))
    for name, server in servers.items():
        server.start()
        (folder / name / "pg_hba.conf").write_text(PG_HBA)
        server.execute("SELECT pg_reload_conf()")
        server.execute(f"CREATE ROLE {KEEPER} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'")
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def site(
    bake: Baker, environment: Callable[[str], Environment], three_servers: dict[str, SystemPostgres]
) -> Iterator[Site]:
    """Managed tenants on three PostgreSQL servers; the first has the registry and all tenants."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="managed", **version)
    urls = {
        name: server.url("{name}")
        .replace("postgres:@", f"{KEEPER}:{quote(PASSWORD, safe='')}@")
        .replace("%7Bname%7D", "{name}")
        for name, server in three_servers.items()
    }
    three_servers["default"].execute(f"CREATE DATABASE registry OWNER {KEEPER}")
    tools = environment(str(project.answers["django_version"]))
    site = make_site(project, tools, dict(three_servers), urls)
    yield site
    for process in site.processes:
        process.kill()
        process.communicate()
    for name, server in three_servers.items():
        server.start()
        for database in [*site.databases()[name], *(["registry"] if name == "default" else [])]:
            server.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        for row in server.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant%' ORDER BY 1"):
            server.execute(f'DROP ROLE "{row[0]}"')


def wait_for(file: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a process has made a file."""
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def finish(process: "subprocess.Popen[str]") -> str:
    """Return what a process has printed when it ends."""
    output = process.communicate(timeout=120)[0]
    assert isinstance(output, str)
    return output


def test_tenants_move_between_servers_while_they_are_read_and_the_others_are_served(site: Site, tmp_path: Path) -> None:
    flag = tmp_path / "go on"
    load = site.start(LOAD, str(flag))
    wait_for(flag, load)
    # From here on its sessions are those of a user of its own.
    site.manage("rotate_credentials", "acme")
    for server in ("eu", "us", "default"):
        assert "acme: active" in site.manage("move_tenant", "acme", "--server", server)
    flag.unlink()
    output = finish(load)
    seen = json.loads(output.splitlines()[-1])
    assert (seen["failed"], seen["lost"]) == ([], [])
    assert {line.partition(":")[0] for line in seen["refused"]} <= {"acme"}
    assert seen["reads"] > 100
    assert {slug for slug, _ in seen["written"]} == {"acme", "horza"}
    # What the tenant has moved away from is there, and nobody gets in, until it is archived.
    assert [len(names) for names in site.databases().values()] == [4, 1, 1]
    site.manage("move_tenant", "acme", "--drop-old", "--to", str(tmp_path / "archives"))
    assert [len(names) for names in site.databases().values()] == [3, 0, 0]
    assert len(list((tmp_path / "archives").iterdir())) == 3


MOVE = ("move_tenant", "acme", "--server", "eu")
KILLED_MOVES = [
    ("move.frozen", "before"),
    ("copies.create_database", "before"),
    ("move.claim_database", "after"),
    ("dumps._running", "after"),
    ("dumps.copy", "after"),
    ("move._switch", "before"),
    ("move._switch", "after"),
    ("move.shut", "before"),
]


def test_a_move_that_is_killed_anywhere_is_carried_on_or_cancelled(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    for place, when in KILLED_MOVES:
        site.kill(place, when, *MOVE)
        if site.tenant("acme")["status"] == "moving" and (place, when) == ("dumps.copy", "after"):
            site.manage("move_tenant", "acme", "--cancel")
            site.write("acme")
            assert site.tenant("acme")["server"] == "default"
        site.manage(*MOVE)
        check_moved(site, before, "eu")
        # And back, so that the next one begins where this one did.
        site.manage("move_tenant", "acme", "--server", "default")
        site.manage("move_tenant", "acme", "--drop-old", "--to", str(tmp_path))
        check_moved(site, before, "default")
        assert [len(names) for names in site.databases().values()] == [3, 0, 0], (place, when)


def check_moved(site: Site, before: list[tuple[object, ...]], server: str) -> None:
    """Check that the tenant is served from there with all that it had, and that it can be written to."""
    tenant = site.tenant("acme")
    assert (tenant["status"], tenant["server"]) == ("active", server)
    assert site.content("acme") == before
    site.write("acme")


KILLED_ARCHIVES = [
    ("archive.frozen", "before"),
    ("dumps.dump", "before"),
    ("dumps.dump", "after"),
    ("dumps.load", "before"),
    ("dumps.load", "after"),
    ("archive.write_verified", "after"),
    ("archive.drop_database", "before"),
    ("archive.drop_database", "after"),
    ("archive._drop_users", "after"),
]
KILLED_RESTORES = [
    ("archive.claim_database", "before"),
    ("archive.claim_database", "after"),
    ("dumps.load", "after"),
    ("archive.complete", "after"),
]


def test_archiving_and_restoring_that_are_killed_anywhere_are_carried_on(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    archives = tmp_path / "archives"
    for number, (place, when) in enumerate(KILLED_ARCHIVES):
        site.kill(place, when, "archive_tenant", "acme", "--to", str(archives))
        assert site.tenant("acme")["status"] == "archiving", place
        site.manage("archive_tenant", "acme", "--to", str(archives))
        assert (site.tenant("acme")["status"], len(site.databases()["default"])) == ("archived", 2)
        # What was half-made is gone, and what was verified was not made again.
        assert len(list(archives.iterdir())) == number + 1
        site.kill(*KILLED_RESTORES[number % len(KILLED_RESTORES)], "restore_tenant", "acme")
        site.manage("restore_tenant", "acme")
        check_moved(site, before, "default")
        assert len(site.databases()["default"]) == 3, place


def test_archiving_that_is_cancelled_leaves_the_tenant_suspended_and_whole(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.kill("dumps.load", "after", "archive_tenant", "acme", "--to", str(tmp_path))
    site.manage("archive_tenant", "acme", "--cancel")
    assert (site.tenant("acme")["status"], site.content("acme")) == ("suspended", before)
    site.manage("resume_tenant", "acme")
    site.write("acme")
    assert (len(site.databases()["default"]), list(tmp_path.iterdir())) == (3, [])


def test_a_busy_tenant_with_a_user_of_its_own_is_archived(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    flag = tmp_path / "busy"
    busy = site.start(BUSY, str(flag))
    wait_for(flag, busy)
    site.manage("archive_tenant", "acme", "--to", str(tmp_path), "--wait", "0.1")
    assert "its session was ended" in finish(busy)
    site.manage("restore_tenant", "acme")
    check_moved(site, before, "default")


#: Makes one round of vacuuming last for minutes, and begin at once.
SLOW_VACUUM = ("naptime = '1s'", "vacuum_cost_delay = '100ms'", "vacuum_cost_limit = 1")


def test_a_tenant_is_archived_while_the_server_vacuums_its_database(site: Site, tmp_path: Path) -> None:
    server, database = site.servers["default"], site.tenant("acme")["database"]
    for setting in SLOW_VACUUM:
        server.execute(f"ALTER SYSTEM SET autovacuum_{setting}")
    server.execute("SELECT pg_reload_conf()")
    try:
        server.execute("CREATE TABLE worn AS SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n", database)
        server.execute(f"ALTER TABLE worn OWNER TO {KEEPER}", database)
        server.execute("UPDATE worn SET n = n + 1", database)
        workers = "SELECT datname FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
        wait_until(lambda: (database,) in server.execute(workers))
        site.manage("archive_tenant", "acme", "--to", str(tmp_path))
    finally:
        server.execute("ALTER SYSTEM RESET ALL")
        server.execute("SELECT pg_reload_conf()")
    assert site.tenant("acme")["status"] == "archived"
    assert database not in site.databases()["default"]


def test_a_target_that_stops_in_the_middle_leaves_the_tenant_where_it_was(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    for place, when in (("dumps.copy", "before"), ("dumps.copy", "after")):
        flag = tmp_path / "halted"
        moving = site.start(COMMAND, place, when, str(flag), *MOVE)
        wait_for(flag, moving)
        site.servers["eu"].stop()
        flag.unlink()
        output = finish(moving)
        assert moving.returncode == 1
        assert output.splitlines()[-1].startswith("CommandError: acme: "), output
        assert PASSWORD not in output
        assert (site.tenant("acme")["status"], site.tenant("acme")["server"]) == ("active", "default")
        site.write("acme")
        site.write("horza")
        site.servers["eu"].start()
    site.manage(*MOVE)
    check_moved(site, before, "eu")
    assert len(site.databases()["eu"]) == 1


def test_a_disk_that_is_full_loses_nothing(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    limited: list[str | Path] = ["bash", "-c", 'ulimit -f 2; exec "$@"', "-", site.tools.python, "-c", COMMAND]
    words = [*limited, "", "", "", "archive_tenant", "acme", "--to", tmp_path / "archives"]
    output = commands.run(words, cwd=site.project.path, env=site.env, code=1)
    assert "CommandError: acme: pg_dump failed on tenant_acme" in output
    check_moved(site, before, "default")
    assert (len(site.databases()["default"]), list((tmp_path / "archives").iterdir())) == (3, [])


#: More than a segment of the server's log, which it cannot do without.
LARGEST_FILE = 17 * 2**20
#: A table that is larger.
LARGE = "CREATE TABLE large AS SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 20000) n"
LARGE_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunSQL("{statement}")]
"""


@contextlib.contextmanager
def full_disk(server: DatabaseServer) -> Iterator[None]:
    """Within the block, a server can have no larger file than that: started anew, it meets it as the end of a disk."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What is written already is not to be written again when the server recovers.
    server.execute("CHECKPOINT")
    server.stop()
    # The server inherits it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, unlimited[1]))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    try:
        yield
    finally:
        server.stop()
        server.start()


def test_a_target_whose_disk_is_full_leaves_the_tenant_where_it_was(site: Site, tmp_path: Path) -> None:
    site.servers["default"].execute(LARGE, site.tenant("acme")["database"])
    site.servers["default"].execute(f"ALTER TABLE large OWNER TO {KEEPER}", site.tenant("acme")["database"])
    before = site.content("acme")
    with full_disk(site.servers["eu"]):
        output = site.manage(*MOVE, code=1)
        assert "CommandError: acme: pg_restore failed" in output
        assert "could not extend file" in output
        check_moved(site, before, "default")
        assert (len(site.databases()["default"]), site.databases()["eu"]) == (3, [])
    site.manage(*MOVE)
    check_moved(site, before, "eu")


def test_a_tenant_that_a_full_disk_had_no_room_for_is_made_by_the_next_run(site: Site) -> None:
    folder = site.project.path / "projects/migrations"
    last = max(file.stem for file in folder.glob("0*.py"))
    (folder / "0099_large.py").write_text(LARGE_MIGRATION.format(before=last, statement=LARGE))
    make = ("create_tenant", "new", "--server", "eu")
    # The first time while the database is made that others are copied from, then while it is copied.
    for others in ([], ["tenant_first"]):
        with full_disk(site.servers["eu"]):
            assert "could not extend file" in site.manage(*make, code=1)
            assert site.tenant("new")["status"] == "pending"
            assert site.databases()["eu"] == others
        if not others:
            site.manage("create_tenant", "first", "--server", "eu")
    assert "new: active" in site.manage(*make)
    assert site.databases()["eu"] == ["tenant_first", "tenant_new"]
    assert site.servers["eu"].execute("SELECT count(*) FROM large", "tenant_new") == [(20000,)]


def test_credentials_are_rotated_under_load_and_nobody_is_refused(site: Site, tmp_path: Path) -> None:
    server = site.servers["default"]
    flag = tmp_path / "go on"
    load = site.start(LOAD, str(flag))
    wait_for(flag, load)
    users = []
    for _ in range(4):
        assert "acme: done" in site.manage("rotate_credentials", "acme", "horza")
        users.append(server.execute("SELECT \"user\" FROM databases_tenant WHERE slug = 'acme'", "registry")[0][0])
    flag.unlink()
    seen = json.loads(finish(load).splitlines()[-1])
    assert (seen["failed"], seen["refused"], seen["lost"]) == ([], [], [])
    assert seen["reads"] > 100
    assert (users[0], users[1]) == (users[2], users[3])
    # Least privilege: the user before is shut out, and the tenant's user gets into no other tenant's database.
    logins = server.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'tenant%' ORDER BY 1")
    assert len(logins) == 2
    assert (users[3],) in logins
    allowed = f"SELECT has_database_privilege('{users[3]}', 'tenant_horza', 'CONNECT')"
    assert server.execute(allowed) == [(False,)]
    site.manage("migrate_tenants")
    for place, when in (
        ("server_users.install", "before"),
        ("server_users.install", "after"),
        ("credentials._replace", "after"),
    ):
        site.kill(place, when, "rotate_credentials", "acme")
        site.write("acme")
        site.manage("rotate_credentials", "acme")
        site.write("acme")


@pytest.fixture
def mariadb_site(
    bake: Baker, environment: Callable[[str], Environment], shared: Path, worker_id: str
) -> Iterator[Site]:
    """Managed tenants on two MariaDB servers, whose user may do there what the project's README says, and no more."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="mysql", secondary_database="none", tenant_databases="managed", **version)
    tools = environment(str(project.answers["django_version"]))
    if not tools.has_mysqlclient:
        pytest.skip(environments.NO_MYSQLCLIENT)
    # A server of its own, because databases of tenants have the same names in each test.
    try:
        servers = {name: Mariadb(shared / f"{name}_mariadb_{worker_id}") for name in ("default", "eu")}
    except NotInstalledError as error:
        pytest.skip(str(error))
    for server in servers.values():
        server.start()
        for statement in KEEPER_OF_MARIADB:
            server.execute(statement)
    urls = {
        name: re.sub("//.*@", f"//{KEEPER}:{quote(PASSWORD, safe='')}@", server.url("NAME")).replace("NAME", "{name}")
        for name, server in servers.items()
    }
    servers["default"].create("registry")
    site = make_site(project, tools, dict(servers), urls)
    yield site
    for process in site.processes:
        process.kill()
        process.communicate()
    for name, databases in site.databases().items():
        server = servers[name]
        for database in [*databases, *(["registry"] if name == "default" else [])]:
            server.execute(f"DROP DATABASE `{database}`")
        for user in users_of_tenants(server):
            server.execute(f"DROP USER '{user}'@'%'")
        server.stop()


def test_mariadb_tenants_move_come_back_from_archives_and_change_users(mariadb_site: Site, tmp_path: Path) -> None:
    site, mariadb = mariadb_site, mariadb_site.servers["default"]
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    site.manage(*MOVE)
    check_moved(site, before, "eu")
    # Nobody gets into what the tenant has moved away from.
    assert users_of_tenants(mariadb) == []
    site.manage("move_tenant", "acme", "--drop-old", "--to", str(tmp_path))
    site.kill("dumps.load", "after", "archive_tenant", "acme", "--to", str(tmp_path))
    site.manage("archive_tenant", "acme", "--to", str(tmp_path))
    site.manage("restore_tenant", "acme", "--server", "default")
    check_moved(site, before, "default")
    assert [len(names) for names in site.databases().values()] == [3, 0]
    (user,) = users_of_tenants(mariadb)
    grants = str(mariadb.execute(f"SHOW GRANTS FOR '{user}'@'%'"))
    assert "tenant\\\\_acme" in grants
    assert "horza" not in grants


def users_of_tenants(server: DatabaseServer) -> list[str]:
    """Return the users of tenants that a MariaDB server knows."""
    return [str(row[0]) for row in server.execute("SELECT user FROM mysql.user WHERE user LIKE 'tenant%'")]


def test_mariadb_writers_that_have_waited_for_a_move_learn_that_nothing_was_written(
    mariadb_site: Site, tmp_path: Path
) -> None:
    site, mariadb = mariadb_site, mariadb_site.servers["default"]
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    ready, go, halted = tmp_path / "ready", tmp_path / "go", tmp_path / "halted"
    writer = site.start(WRITER, str(ready), str(go))
    wait_for(ready, writer)
    moving = site.start(COMMAND, "dumps.copy", "after", str(halted), *MOVE)
    wait_for(halted, moving)
    go.touch()
    waiting = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT%waits%' AND state LIKE 'Waiting%'"
    wait_until(lambda: bool(mariadb.execute(waiting)))
    halted.unlink()
    assert "acme: active" in finish(moving)
    assert finish(writer).startswith("refused")
    check_moved(site, before, "eu")
    assert mariadb.execute("SELECT id FROM projects_datapoint WHERE name = 'waits'", "tenant_acme") == []


def test_mariadb_tenants_do_not_move_where_their_writers_could_not_be_ended(mariadb_site: Site) -> None:
    site, mariadb = mariadb_site, mariadb_site.servers["default"]
    before = site.content("acme")
    mariadb.execute(f"REVOKE PROCESS, CONNECTION ADMIN ON *.* FROM {KEEPER}")
    assert "grant it CONNECTION ADMIN and PROCESS on *.*" in site.manage(*MOVE, code=1)
    check_moved(site, before, "default")
    assert site.databases()["eu"] == []
