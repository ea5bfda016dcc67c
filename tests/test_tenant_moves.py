"""The fleet on three PostgreSQL servers: moves, archives and credentials, killed halfway and while pages are served."""

import contextlib
import json
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
from tests.support import commands, settings
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer, NotInstalledError
from tests.support.environments import Environment
from tests.support.forks import Forks
from tests.support.own_postgres import wait_until
from tests.support.system_postgres import SystemPostgres
from tests.support.variants import DJANGO

KEEPER = "keeper"
#: With characters that a URL must encode.
PASSWORD = "s3cret: of/the 100% keeper"
#: Roles log in with passwords. The administrator needs none on the socket.
PG_HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
ROWS = 200

#: Runs a command as `manage.py` does, and is killed or paused before or after a function of the project.
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
    found = importlib.import_module("databases." + module)
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

#: Makes the registry and three tenants that have rows.
PREPARE = """
import django
django.setup()
from django.core.management import call_command
from databases.tenants import use_tenant
from projects.models import DataPoint
call_command("migrate", verbosity=0)
for slug in ("acme", "horza", "chell"):
    call_command("create_tenant", slug, server="default")
    with use_tenant(slug):
        DataPoint.objects.bulk_create(DataPoint(name=f"o'brien {slug} {n}", value=n / 7) for n in range(ROWS))
""".replace("ROWS", str(ROWS))

#: Reads and writes as other processes do, by the registry's present rows, while a file exists.
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
        is_refused = type(error).__name__ == "TenantReadOnlyError" or "read-only" in str(error)
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


#: Holds a transaction with a write open until its session is terminated.
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
    print("its session was terminated")
"""


class Site:
    """A project with a fleet on several servers, and its environment."""

    def __init__(
        self, project: Bake, tools: Environment, servers: dict[str, DatabaseServer], env: dict[str, str]
    ) -> None:
        self.project = project
        self.tools = tools
        self.servers = servers
        self.env = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        self.processes: list[subprocess.Popen[str]] = []
        self.forks = Forks(project, tools, self.env)

    def manage(self, *words: str, code: int = 0) -> str:
        """Run a command, and check that its output shows no password."""
        output = self.forks.run(COMMAND, "", "", "", *words, exit_code=code)
        assert PASSWORD not in output
        assert quote(PASSWORD, safe="") not in output
        return output

    def kill(self, place: str, when: str, *words: str) -> None:
        """Run a command that is killed before or after a function."""
        self.forks.run(COMMAND, place, when, "", *words, exit_code=-signal.SIGKILL)

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
        """Return the registry's row of a tenant, read past the project."""
        columns = ("slug", "status", "server", "database", "user")
        quoted = ", ".join(f'"{column}"' for column in columns)
        query = f"SELECT {quoted} FROM tenants_tenant WHERE slug = '{slug}'"  # noqa: S608
        (row,) = self.servers["default"].execute(query, "registry")
        return dict(zip(columns, map(str, row), strict=True))

    def content(self, slug: str) -> list[tuple[object, ...]]:
        """Return the rows of a tenant on the server that the registry names, read past the project."""
        tenant = self.tenant(slug)
        server = self.servers[tenant["server"]]
        return server.execute("SELECT id, name, value FROM projects_datapoint ORDER BY id", tenant["database"])

    def databases(self) -> dict[str, list[str]]:
        """Return the databases of tenants on each server, without the templates that new ones are copied from."""
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'tenant%' ORDER BY 1"
        return {
            name: [str(row[0]) for row in server.execute(query) if not str(row[0]).startswith("tenant_template_")]
            for name, server in self.servers.items()
        }

    def write(self, slug: str) -> None:
        """Write one row as the project does, and delete it."""
        self.forks.run(
            "import sys\n"
            "from databases.tenants import use_tenant\n"
            "from projects.models import DataPoint\n"
            "with use_tenant(sys.argv[1]): DataPoint.objects.create(name='x', value=1).delete()",
            slug,
        )


@pytest.fixture(scope="module")
def three_servers(shared: Path) -> Iterator[dict[str, SystemPostgres]]:
    """Three PostgreSQL servers whose users log in with passwords."""
    # New servers each time: xdist may make one worker run this module twice.
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
    """A fleet on three servers. The first has the registry and all tenants."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="fleet", **version)
    login = f"{KEEPER}:{quote(PASSWORD, safe='')}@"
    urls = {
        name: server.url("{name}").replace("postgres:@", login).replace("%7Bname%7D", "{name}")
        for name, server in three_servers.items()
    }
    three_servers["default"].execute(f"CREATE DATABASE registry OWNER {KEEPER}")
    env = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": ".example.com",
        "SITE_DOMAIN": "example.com",
        "DATABASE_URL": urls["default"].replace("{name}", "registry"),
        "TENANT_DATABASE_URL": urls["default"],
        "TENANT_SERVERS": ",".join(f"{name}={url}" for name, url in urls.items() if name != "default"),
        "TENANT_PASSWORD_KEYS": "b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U=",
    }
    site = Site(project, environment(str(project.answers["django_version"])), dict(three_servers), env)
    site.forks.run(PREPARE)
    yield site
    site.forks.close()
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
    """Wait until a process has created a file."""
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def finish(process: "subprocess.Popen[str]") -> str:
    """Wait until a process ends, and return its output."""
    output = process.communicate(timeout=120)[0]
    assert isinstance(output, str)
    return output


def test_a_tenant_moves_between_servers_while_it_is_read(site: Site, tmp_path: Path) -> None:
    flag = tmp_path / "running"
    load = site.start(LOAD, str(flag))
    wait_for(flag, load)
    # From here on the tenant has a user, and its sessions are that user's.
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
    # The previous databases are kept, closed for connections, until they are archived.
    assert [len(names) for names in site.databases().values()] == [4, 1, 1]
    site.manage("move_tenant", "acme", "--drop-old", "--to", str(tmp_path / "archives"))
    assert [len(names) for names in site.databases().values()] == [3, 0, 0]
    assert len(list((tmp_path / "archives").iterdir())) == 3


MOVE = ("move_tenant", "acme", "--server", "eu")
KILLED_MOVES = [
    ("fleet.relocate.freeze", "before"),
    ("fleet.relocate.freeze", "after"),
    ("fleet.models.create_database", "before"),
    ("fleet.relocate.claim_database", "after"),
    ("fleet.dumps.copy", "after"),
    ("fleet.relocate._switch", "before"),
    ("fleet.relocate._switch", "after"),
    ("fleet.relocate._close_old", "before"),
]


def test_a_killed_move_is_continued_or_cancelled(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    # Back and forth, so that each move begins where the one before has ended.
    for (place, when), server in zip(KILLED_MOVES, ("eu", "default") * 4, strict=True):
        source = site.tenant("acme")["server"]
        site.kill(place, when, "move_tenant", "acme", "--server", server)
        if (place, when) == ("fleet.dumps.copy", "after"):
            site.manage("move_tenant", "acme", "--cancel")
            site.write("acme")
            assert site.tenant("acme")["server"] == source
        site.manage("move_tenant", "acme", "--server", server)
        check_moved(site, before, server)
        site.manage("move_tenant", "acme", "--drop-old", "--to", str(tmp_path))
        counts = [3, 0, 0] if server == "default" else [2, 1, 0]
        assert [len(names) for names in site.databases().values()] == counts, (place, when)
    check_moved(site, before, "default")


def check_moved(site: Site, before: list[tuple[object, ...]], server: str) -> None:
    """Check that the tenant is active on a server with the rows from before, and accepts writes."""
    tenant = site.tenant("acme")
    assert (tenant["status"], tenant["server"]) == ("active", server)
    assert site.content("acme") == before
    site.write("acme")


KILLED_ARCHIVES = [
    ("fleet.archive.freeze", "before"),
    ("fleet.dumps.dump", "before"),
    ("fleet.dumps.dump", "after"),
    ("fleet.dumps.load", "before"),
    ("fleet.dumps.load", "after"),
    ("fleet.archive.write_verified", "after"),
    ("fleet.archive.drop_database", "before"),
    ("fleet.archive.drop_database", "after"),
    ("fleet.database_roles.drop", "after"),
]
KILLED_RESTORES = [
    ("fleet.archive.claim_database", "before"),
    ("fleet.archive.claim_database", "after"),
    ("fleet.dumps.load", "after"),
    ("fleet.archive.complete", "after"),
]


def test_a_killed_archive_or_restore_is_continued(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    archives = tmp_path / "archives"
    for number, (place, when) in enumerate(KILLED_ARCHIVES):
        site.kill(place, when, "archive_tenant", "acme", "--to", str(archives))
        assert site.tenant("acme")["status"] == "archiving", place
        site.manage("archive_tenant", "acme", "--to", str(archives))
        assert (site.tenant("acme")["status"], len(site.databases()["default"])) == ("archived", 2)
        # The unfinished file was deleted, and the verified one was not written twice.
        assert len(list(archives.iterdir())) == number + 1
        site.kill(*KILLED_RESTORES[number % len(KILLED_RESTORES)], "restore_tenant", "acme")
        site.manage("restore_tenant", "acme")
        check_moved(site, before, "default")
        assert len(site.databases()["default"]) == 3, place


def test_a_cancelled_archive_leaves_the_tenant_suspended_and_whole(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.kill("fleet.dumps.load", "after", "archive_tenant", "acme", "--to", str(tmp_path))
    site.manage("archive_tenant", "acme", "--cancel")
    assert (site.tenant("acme")["status"], site.content("acme")) == ("suspended", before)
    site.manage("resume_tenant", "acme")
    site.write("acme")
    assert (len(site.databases()["default"]), list(tmp_path.iterdir())) == (3, [])


def test_a_tenant_with_a_user_and_an_open_transaction_is_archived(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    site.manage("rotate_credentials", "acme")
    flag = tmp_path / "busy"
    busy = site.start(BUSY, str(flag))
    wait_for(flag, busy)
    site.manage("archive_tenant", "acme", "--to", str(tmp_path), "--wait", "0.1")
    assert "its session was terminated" in finish(busy)
    site.manage("restore_tenant", "acme")
    check_moved(site, before, "default")


#: Makes autovacuum start at once and last for minutes.
SLOW_VACUUM = ("naptime = '1s'", "vacuum_cost_delay = '100ms'", "vacuum_cost_limit = 1")


def test_a_tenant_is_archived_during_autovacuum(site: Site, tmp_path: Path) -> None:
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


def test_a_target_that_stops_during_a_move_leaves_the_tenant_where_it_was(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    for place, when in (("fleet.dumps.copy", "before"), ("fleet.dumps.copy", "after")):
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


def test_an_archive_that_does_not_fit_on_the_disk_loses_nothing(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    limited: list[str | Path] = ["bash", "-c", 'ulimit -f 2; exec "$@"', "-", site.tools.python, "-c", COMMAND]
    words = [*limited, "", "", "", "archive_tenant", "acme", "--to", tmp_path / "archives"]
    output = commands.run(words, cwd=site.project.path, env={**site.env, "PYTHONDONTWRITEBYTECODE": "1"}, code=1)
    assert "CommandError: acme: pg_dump failed on tenant_acme" in output
    check_moved(site, before, "default")
    assert (len(site.databases()["default"]), list((tmp_path / "archives").iterdir())) == (3, [])


#: Larger than a segment of the server's log, which the server must be able to write.
LARGEST_FILE = 17 * 2**20
#: A table that is larger than that.
LARGE = "CREATE TABLE large AS SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 20000) n"
LARGE_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunSQL("{statement}")]
"""


@contextlib.contextmanager
def full_disk(server: DatabaseServer) -> Iterator[None]:
    """Within the block, a restarted server cannot write files beyond `LARGEST_FILE`, as on a full disk."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Recovery must not write again what is written already.
    server.execute("CHECKPOINT")
    server.stop()
    # The server inherits this limit.
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


def test_a_target_with_a_full_disk_leaves_the_tenant_where_it_was(site: Site, tmp_path: Path) -> None:
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


def test_a_tenant_that_did_not_fit_on_the_disk_is_created_by_the_next_run(site: Site) -> None:
    folder = site.project.path / "projects/migrations"
    last = max(file.stem for file in folder.glob("0*.py"))
    (folder / "0099_large.py").write_text(LARGE_MIGRATION.format(before=last, statement=LARGE))
    make = ("create_tenant", "new", "--server", "eu")
    # First the disk is full while the template is made, then while it is copied.
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


def test_credentials_are_rotated_under_load_and_no_request_is_refused(site: Site, tmp_path: Path) -> None:
    server = site.servers["default"]
    flag = tmp_path / "running"
    load = site.start(LOAD, str(flag))
    wait_for(flag, load)
    users = []
    for _ in range(4):
        assert "acme: done" in site.manage("rotate_credentials", "acme", "horza")
        users.append(site.tenant("acme")["user"])
    flag.unlink()
    seen = json.loads(finish(load).splitlines()[-1])
    assert (seen["failed"], seen["refused"], seen["lost"]) == ([], [], [])
    assert seen["reads"] > 100
    assert (users[0], users[1]) == (users[2], users[3])
    # Least privilege: the previous user cannot log in, and the present one cannot connect to another tenant's database.
    logins = server.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'tenant%' ORDER BY 1")
    assert len(logins) == 2
    assert (users[3],) in logins
    allowed = f"SELECT has_database_privilege('{users[3]}', 'tenant_horza', 'CONNECT')"
    assert server.execute(allowed) == [(False,)]
    site.manage("migrate_tenants")
    for place, when in (
        ("fleet.database_roles.install", "before"),
        ("fleet.database_roles.install", "after"),
        ("fleet.credentials.replace", "after"),
    ):
        site.kill(place, when, "rotate_credentials", "acme")
        site.write("acme")
        site.manage("rotate_credentials", "acme")
        site.write("acme")
