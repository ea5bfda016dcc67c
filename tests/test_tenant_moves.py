"""The fleet on three PostgreSQL servers: commands that are killed or fail at every step, and while pages are served."""

import contextlib
import itertools
import json
import re
import resource
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import Baker
from tests.support import commands, settings
from tests.support.databases import DatabaseServer, NotInstalledError
from tests.support.environments import Environment
from tests.support.fleet import COMMAND, KEEPER, PASSWORD, PREPARE, ROWS, Site, finish, owner, wait_for
from tests.support.own_postgres import wait_until
from tests.support.system_postgres import SystemPostgres
from tests.support.variants import DJANGO

#: Roles log in with passwords. The administrator needs none on the socket.
PG_HBA = "local all postgres trust\nlocal all all scram-sha-256\n"

#: Reads and writes as other processes do, by the registry's present rows, while a file exists. A cursor stays open.
LOAD = """
import json, pathlib, sys, threading, time
import django
django.setup()
from django.conf import settings
from django.db import Error, connections
settings.TENANT_CACHE_SECONDS = 0.2
from databases import atomic_for
from databases.tenants import use_tenant
from databases.tenants.registry_cache import cache
from projects.models import DataPoint
file, cursor = pathlib.Path(sys.argv[1]), sys.argv[2:]
seen = {"reads": 0, "written": [], "refused": [], "failed": [], "cursor": 0}
def once(slug, work):
    try:
        with use_tenant(slug):
            work()
        return True
    except Error as error:
        # `is not permitted to log in`: the user, by a row that was cached just before.
        is_refused = type(error).__name__ == "TenantUnavailableError" or "not permitted to log in" in str(error)
        seen["refused" if is_refused else "failed"].append(f"{slug}: {type(error).__name__}: {error}")
        time.sleep(0.01)
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
def cursors(slug):
    with use_tenant(slug), atomic_for(DataPoint):
        for point in DataPoint.objects.filter(name__startswith="o'brien").order_by("pk").iterator(chunk_size=10):
            seen["cursor"] += 1
            while file.exists() and seen["cursor"] == ROWS / 2:
                time.sleep(0.01)
    connections.close_all()
def run(work, slug):
    try:
        work(slug)
    except BaseException as error:
        seen["failed"].append(repr(error))
        raise
file.touch()
work = [(kind, slug) for kind in (readers, writers) for slug in ("acme", "horza")]
work += [(cursors, slug) for slug in cursor]
threads = [threading.Thread(target=run, args=pair) for pair in work]
for thread in threads: thread.start()
for thread in threads: thread.join()
lost = []
for slug in ("acme", "horza"):
    cache.forget(slug)
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
        with (folder / name / "postgresql.conf").open("a") as file:
            # These servers crash, and lose nothing that they said was committed.
            file.write("synchronous_commit = on\n")
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
        # Not communicate(): a test that failed has done so.
        with process:
            process.kill()
    for name, server in three_servers.items():
        server.start()
        for database in [*site.databases()[name], *(["registry"] if name == "default" else [])]:
            server.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        roles = "SELECT rolname FROM pg_roles WHERE rolname ~ '^tenant_[0-9a-f]{20}' ORDER BY 1"
        for row in server.execute(roles):
            server.execute(f'DROP ROLE "{row[0]}"')


#: `ARCHIVES` stands for a folder, `new` for the slug of another new tenant each time, and `OTHER` for the server where
#: the tenant is not.
ARCHIVE = ("archive_tenant", "acme", "--to", "ARCHIVES")
CANCEL_ARCHIVE = ("archive_tenant", "acme", "--cancel")
RESUME = ("resume_tenant", "acme")
RESTORE = ("restore_tenant", "acme")
RESTORE_THERE = (*RESTORE, "--server", "OTHER")
VERIFY = ("verify_archives", "acme")
MOVE = ("move_tenant", "acme", "--server", "OTHER")
CANCEL_MOVE = ("move_tenant", "acme", "--cancel")
PURGE = ("purge_archived_tenants", "--older-than", "0d")
ROTATE = ("rotate_credentials", "acme")
MAKE = ("create_tenant", "new", "--server", "default")
PURGE_NEW = ("purge_pending_tenant", "new")
MAKE_READY = ("prepare_tenants", "1")


@dataclass(frozen=True)
class Case:
    """A command that stops at each of its steps in turn, and the ways out of that."""

    words: tuple[str, ...]
    #: Taken in turn; all of them end in these statuses.
    out: tuple[tuple[str, ...], ...]
    ends: tuple[str, ...] = ("active",)
    #: Commands at first and before each step. Before a cancellation, a command that is killed.
    first: tuple[tuple[str, ...], ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    killed: tuple[str, ...] = ()
    #: A step before which the database is complete, and so is kept: the way out is refused, and the command completes.
    kept: str = ""
    #: Whether an error leaves everything as it was, so that there is no need of a way out.
    is_undone: bool = False


CASES = {
    "create": Case(MAKE, (MAKE,)),
    "create, purge": Case(MAKE, (PURGE_NEW,), kept="create_tenant > change: UPDATE"),
    "create from a ready one": Case(MAKE, (MAKE,), before=(MAKE_READY,)),
    "prepare": Case(MAKE_READY, (MAKE_READY,), before=(MAKE,)),
    "move": Case(MOVE, (MOVE,), before=(PURGE,)),
    # With previous databases on both servers.
    "move, cancel": Case(MOVE, (CANCEL_MOVE,), first=(MOVE, MOVE), is_undone=True),
    "move --cancel": Case(CANCEL_MOVE, (CANCEL_MOVE,), killed=("pg_restore has started", *MOVE)),
    "archive": Case(ARCHIVE, (ARCHIVE, CANCEL_ARCHIVE), ("archived", "suspended"), is_undone=True),
    "archive --cancel": Case(
        CANCEL_ARCHIVE, (CANCEL_ARCHIVE,), ("suspended",), killed=("pg_restore has started", *ARCHIVE)
    ),
    "restore": Case(RESTORE, (RESTORE,), before=(ARCHIVE,), is_undone=True),
    "restore elsewhere": Case(RESTORE_THERE, (RESTORE_THERE,), before=(ARCHIVE, PURGE), is_undone=True),
    "verify": Case(VERIFY, (VERIFY,), ("archived",), first=(ARCHIVE,), is_undone=True),
    "purge after archive": Case(PURGE, (PURGE,), ("archived",), before=(ARCHIVE,)),
    "purge after move": Case(PURGE, (PURGE,), before=(MOVE,)),
    "rotate": Case(ROTATE, (ROTATE,)),
}


def run_case(site: Site, name: str, how: str) -> None:
    """Stop a command at each of its steps, check what is left, and print a row of a table for each."""
    case, rows = CASES[name], []
    content = set(site.content("acme"))
    for command in case.first:
        site.manage(*words(site, command))
    for number in itertools.count(1):
        goes_on = how == "kill" or not case.is_undone
        if number == 1 or goes_on:
            for command in case.before:
                site.manage(*words(site, command, number))
            if case.killed:
                assert site.kill(*words(site, case.killed))[0]
        before, order = site.tenant("acme"), words(site, case.words, number)
        way_out = words(site, case.out[number % len(case.out)], number)
        step, output = (site.kill if how == "kill" else site.fail)(str(number), *order)
        if not step:
            break
        row, logins = site.tenant("acme"), len(site.logins())
        if case.kept and case.kept in step:
            assert f"Complete it with `{' '.join(order[:2])}`" in site.manage(*way_out, code=1)
            way_out = order
        if goes_on:
            # Before its first step a command has changed nothing, and there may be nothing to cancel.
            site.manage(*way_out, code=None if number == 1 else 0)
            assert number == 1 or site.tenant("acme").status in case.ends, step
        else:
            assert "this step fails" in output, (step, output)
            assert row == before, step
        # All that lies on the servers is what the registry asks for.
        site.check()
        if goes_on and not case.first:
            settle(site)
        lost = 0 if site.tenant("acme").status == "archived" else len(content - set(site.content("acme")))
        answer = f"`{' '.join(way_out)}`".replace(str(site.archives), "...") if goes_on else "-"
        rows.append(f"| {name} | {step} | {row.status} on {row.server}, {logins} logins | {answer} | {lost} | none |")
        assert not lost, step
    print(
        f"\n| command | {how} before | state afterwards | way out | rows lost | left over |\n|---|---|---|---|---|---|"
    )
    print("\n".join(rows))
    assert len(rows) > 1
    settle(site)
    assert set(site.content("acme")) == content


def settle(site: Site) -> None:
    """Open the tenant's pages again."""
    out = {"archived": RESTORE, "suspended": RESUME}.get(site.tenant("acme").status)
    if out:
        site.manage(*out)


def words(site: Site, command: tuple[str, ...], number: int = 0) -> list[str]:
    """Return the words of a command of a case."""
    other = "default" if site.tenant("acme").server == "eu" else "eu"
    return [{"ARCHIVES": str(site.archives), "new": f"new{number}", "OTHER": other}.get(word, word) for word in command]


@pytest.mark.parametrize("name", [name for name in CASES if name != "restore"])
def test_a_command_that_is_killed_before_any_step_has_a_way_out(site: Site, name: str) -> None:
    run_case(site, name, "kill")


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("create, purge", "move", "restore elsewhere")])
def test_a_command_that_fails_at_any_step_leaves_everything_as_it_was(site: Site, name: str) -> None:
    run_case(site, name, "fail")


MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunSQL("{statement}")]
"""


def add_migration(site: Site, statement: str) -> None:
    """Give the project a migration of tenants that runs a statement."""
    folder = site.project.path / "projects/migrations"
    last = max(file.stem for file in folder.glob("0*.py"))
    (folder / "0099_later.py").write_text(MIGRATION.format(before=last, statement=statement))


#: A step of each command at which another one comes, and the commands: at most one works on a tenant.
MIDWAY: dict[str, tuple[str, tuple[str, ...]]] = {
    "move": ("pg_restore", MOVE),
    "archive": ("pg_dump", ARCHIVE),
    "restore": ("pg_restore", RESTORE),
    "rotate": ("replace: UPDATE", ROTATE),
    "rotate, waiting": ("_retire", ROTATE),
    "migrate": ("CREATE TABLE", ("migrate_tenants", "acme")),
    "purge": ("DROP DATABASE", PURGE),
}
#: What refuses the second command, in one sentence.
REFUSED = (
    r"Another process works on the tenant 'acme': wait until it ends, and try again\.|"
    r"Cannot [a-z ]+ 'acme', which is [a-z]+: .+\.|it is [a-z]+: .+|There is no archive of 'acme' .+|"
    r"Another process migrates tenants: .+"
)


@pytest.mark.parametrize("first", MIDWAY)
def test_of_two_commands_on_one_tenant_one_is_refused(site: Site, first: str) -> None:
    # There are an archive, closed databases, and a migration to apply.
    for command in (MOVE, MOVE, ARCHIVE, RESTORE):
        site.manage(*words(site, command))
    content = set(site.content("acme"))
    if first == "restore":
        site.manage(*words(site, ARCHIVE))
    add_migration(site, "CREATE TABLE later (id integer)")
    step, order = MIDWAY[first]
    paused = site.pause(step, *words(site, order))
    for name, (_, other) in MIDWAY.items():
        # Purging other tenants' databases is nobody's concern.
        output = site.manage(*words(site, other), code=1)
        assert re.search(REFUSED, output), (first, name, output)
        assert len(output.splitlines()) <= 5, output
    code, output = paused.go_on()
    assert code == 0, output
    settle(site)
    site.manage("migrate_tenants")
    site.check()
    assert set(site.content("acme")) == content


#: Steps of commands before which a server stops.
PHASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "move": (
        MOVE,
        ("CREATE DATABASE", "pg_restore", "seal > shut", "keep_closed"),
    ),
    "archive": (ARCHIVE, ("pg_dump", "pg_restore", "seal > shut", "keep_closed")),
    "restore": (RESTORE, ("CREATE DATABASE", "pg_restore", "open_again > with_force", "restore > change")),
}


@pytest.mark.parametrize("name", PHASES)
def test_a_server_that_stops_in_any_phase_loses_nothing(site: Site, name: str) -> None:
    command, phases = PHASES[name]
    # Away from the registry.
    there = {"eu": "us", "us": "eu"}
    site.manage("move_tenant", "acme", "--server", "eu")
    content = set(site.content("acme"))
    for phase in phases:
        for stopped in ("source", "target", "registry"):
            source = site.tenant("acme").server
            target = there[source] if name == "move" else source
            if name != "move" and stopped == "target":
                continue
            if name == "restore":
                site.manage(*words(site, ARCHIVE))
            order = words(site, tuple(there[source] if word == "OTHER" else word for word in command))
            paused = site.pause(phase, *order)
            server = site.servers[{"source": source, "target": target, "registry": "default"}[stopped]]
            server.stop()
            if stopped == "registry":
                # It only restarts.
                server.start()
            code, output = paused.go_on()
            server.start()
            assert code == 0 or output.splitlines()[-1].startswith("CommandError: acme: "), output
            if code:
                site.manage(*order)
            settle(site)
            site.check()
            assert set(site.content("acme")) == content, (phase, stopped)


def check_served(site: Site, before: list[tuple[object, ...]], server: str) -> None:
    """Check that the tenant is active on a server with the rows from before, and that nothing else is left."""
    assert (site.tenant("acme").status, site.tenant("acme").server) == ("active", server)
    assert site.content("acme") == before
    site.check()


def test_a_tenant_moves_while_pages_are_served(site: Site, tmp_path: Path) -> None:
    site.env["CACHE_SECONDS"] = "0.2"
    flag = tmp_path / "running"
    load = site.start(LOAD, str(flag))
    wait_for(flag, load)
    for server in ("eu", "us", "default"):
        moved = site.start(COMMAND, "", "", "", "move_tenant", "acme", "--server", server)
        assert "acme: active" in finish(moved)
    flag.unlink()
    output = finish(load)
    seen = json.loads(output.splitlines()[-1])
    assert (seen["failed"], seen["lost"]) == ([], [])
    assert {line.partition(":")[0] for line in seen["refused"]} <= {"acme"}
    assert seen["reads"] > 100
    assert {slug for slug, _ in seen["written"]} == {"acme", "horza"}
    # The previous databases are kept, closed for connections, until they are purged.
    assert [len(names) for names in site.databases().values()] == [4, 1, 1]
    site.check()
    site.manage(*PURGE)
    assert [len(names) for names in site.databases().values()] == [3, 0, 0]
    site.check()


def test_credentials_are_rotated_under_load_and_no_request_is_refused(site: Site, tmp_path: Path) -> None:
    site.env["CACHE_SECONDS"] = "0.2"
    flag = tmp_path / "running"
    load = site.start(LOAD, str(flag), "acme", "horza")
    wait_for(flag, load)
    users = []
    for _ in range(4):
        # At the same time: each is done, or refused because the other one works on the tenant.
        rotating = [site.start(COMMAND, "", "", "", "rotate_credentials", "acme", "horza") for _ in range(2)]
        assert any("acme: done" in output for output in map(finish, rotating))
        users.append(site.tenant("acme").user)
    flag.unlink()
    seen = json.loads(finish(load).splitlines()[-1])
    assert (seen["failed"], seen["refused"], seen["lost"]) == ([], [], [])
    assert (seen["reads"] > 100, seen["cursor"]) == (True, 2 * ROWS)
    assert len(set(users)) == 2
    # The previous user cannot log in, and the present one cannot connect to another tenant's database.
    site.check()
    site.manage("migrate_tenants")


def test_a_tenant_with_an_open_transaction_is_archived(site: Site, tmp_path: Path) -> None:
    before = site.content("acme")
    flag = tmp_path / "busy"
    busy = site.start(BUSY, str(flag))
    wait_for(flag, busy)
    site.manage(*words(site, ARCHIVE), "--wait", "0.1")
    assert "its session was terminated" in finish(busy)
    site.manage(*RESTORE)
    check_served(site, before, "default")


#: Makes autovacuum start at once and last for minutes.
SLOW_VACUUM = ("naptime = '1s'", "vacuum_cost_delay = '100ms'", "vacuum_cost_limit = 1")


def test_a_tenant_is_archived_during_autovacuum(site: Site) -> None:
    server, database = site.servers["default"], site.tenant("acme").database
    for setting in SLOW_VACUUM:
        server.execute(f"ALTER SYSTEM SET autovacuum_{setting}")
    server.execute("SELECT pg_reload_conf()")
    try:
        server.execute("CREATE TABLE worn AS SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n", database)
        server.execute(f"ALTER TABLE worn OWNER TO {owner(site.tenant('acme').uid)}", database)
        server.execute("UPDATE worn SET n = n + 1", database)
        workers = "SELECT datname FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
        wait_until(lambda: (database,) in server.execute(workers))
        site.manage(*words(site, ARCHIVE))
    finally:
        server.execute("ALTER SYSTEM RESET ALL")
        server.execute("SELECT pg_reload_conf()")
    assert site.tenant("acme").status == "archived"
    site.check()


def test_an_archive_that_does_not_fit_on_the_disk_loses_nothing(site: Site) -> None:
    before = site.content("acme")
    limited: list[str | Path] = ["bash", "-c", 'ulimit -f 2; exec "$@"', "-", site.tools.python, "-c", COMMAND]
    command = [*limited, "", "", "", *words(site, ARCHIVE)]
    output = commands.run(command, cwd=site.project.path, env={**site.env, "PYTHONDONTWRITEBYTECODE": "1"}, code=1)
    assert "CommandError: acme: pg_dump failed on tenant_acme" in output
    check_served(site, before, "default")


#: Larger than a segment of the server's log, which the server must be able to write.
LARGEST_FILE = 17 * 2**20
#: A table that is larger than that.
LARGE = "CREATE TABLE large AS SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 20000) n"


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


def test_a_target_with_a_full_disk_leaves_the_tenant_where_it_was(site: Site) -> None:
    site.servers["default"].execute(LARGE, site.tenant("acme").database)
    site.servers["default"].execute(
        f"ALTER TABLE large OWNER TO {owner(site.tenant('acme').uid)}", site.tenant("acme").database
    )
    before = site.content("acme")
    with full_disk(site.servers["eu"]):
        output = site.manage(*words(site, MOVE), code=1)
        assert "CommandError: acme: pg_restore failed" in output
        assert "could not extend file" in output
        check_served(site, before, "default")
    site.manage(*words(site, MOVE))
    check_served(site, before, "eu")


def test_a_tenant_that_did_not_fit_on_the_disk_is_created_by_the_next_run(site: Site) -> None:
    add_migration(site, LARGE)
    make = ("create_tenant", "new", "--server", "eu")
    # First the disk is full while the template is made, then while it is copied.
    for others in ([], ["tenant_first"]):
        with full_disk(site.servers["eu"]):
            assert "could not extend file" in site.manage(*make, code=1)
            assert site.tenant("new").status == "pending"
            assert site.databases()["eu"] == others
        if not others:
            site.manage("create_tenant", "first", "--server", "eu")
    assert "new: active" in site.manage(*make)
    assert site.databases()["eu"] == ["tenant_first", "tenant_new"]
    assert site.servers["eu"].execute("SELECT count(*) FROM large", "tenant_new") == [(20000,)]
