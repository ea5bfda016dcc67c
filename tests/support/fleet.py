"""A project whose tenants lie on several servers, and commands that are killed, fail or pause at any of their steps."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.environments import Environment
from tests.support.forks import Forks

KEEPER = "keeper"
#: With characters that a URL must encode.
PASSWORD = "s3cret: of/the 100% keeper"
ROWS = 200

#: Runs a command as `manage.py` does. Its steps are all statements that change something, on any server, and all
#: programs that copy a database. It is killed, fails or pauses before the step of a number, or the first one whose
#: name has a text; the step's name is written to a file. A paused command goes on when that file is deleted.
COMMAND = """
import os, pathlib, signal, subprocess, sys, time
import django
django.setup()
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
how, where, file, *words = sys.argv[1:]
settings.TENANT_CACHE_SECONDS = float(os.environ["CACHE_SECONDS"])
count, found = 0, False
def step(what):
    global count, found
    names, frame = [], sys._getframe(2)
    while frame:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith("databases.") and not module.startswith("databases.tenants.backends"):
            names += [name] if name not in ("handle", "create", "inner") else []
        frame = frame.f_back
    if "template_settings" in names or "_build" in names:
        return
    count += 1
    name = " > ".join(reversed(names)) + ": " + what
    if found or not (str(count) == where or (not where.isdigit() and where in name)):
        return
    found = True
    pathlib.Path(file).write_text(name)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "fail":
        raise OperationalError("this step fails")
    while pathlib.Path(file).exists():
        time.sleep(0.01)
CHANGES = {"INSERT", "UPDATE", "DELETE", "ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "REASSIGN"}
execute, Popen = CursorWrapper.execute, subprocess.Popen
def executing(self, sql, params=None):
    words = str(sql).split()
    if words[0] in CHANGES:
        step(" ".join(words[:2]))
    return execute(self, sql, params)
def starting(command, *arguments, **options):
    copies = command[0] in ("pg_dump", "pg_restore") and not {"--schema-only", "--list"} & set(command)
    if copies:
        step(command[0])
    process = Popen(command, *arguments, **options)
    if copies and how == "kill":
        step(command[0] + " has started")
    return process
if how:
    CursorWrapper.execute, subprocess.Popen = executing, starting
code = 0
try:
    call_command(*words)
except CommandError as error:
    code = 1
    print(f"CommandError: {error}")
sys.stdout.flush()
# Not sys.exit(), which takes as long as most commands.
os._exit(code)
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

WRITE = """
import os, sys
from databases.tenants import use_tenant
from projects.models import DataPoint
with use_tenant(sys.argv[1]):
    DataPoint.objects.create(name='x', value=1).delete()
os._exit(0)
"""

TENANTS = 'SELECT slug, uid, status, server, database, "user" FROM tenants_tenant'
ARTIFACTS = """
SELECT uid, kind, a.server, a.database, path FROM fleet_tenantartifact a JOIN tenants_tenant t ON t.id = tenant_id
"""
READY = 'SELECT uid, server, database, "user", migrations FROM fleet_readydatabase'
#: Each database of a tenant: may anybody connect, and may everybody?
DATABASES = """
SELECT datname, pg_get_userbyid(datdba), datallowconn,
(SELECT count(*) FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)
FROM pg_database WHERE datname LIKE 'tenant%' AND datname NOT LIKE 'tenant_template%' ORDER BY 1
"""
ROLES = """
SELECT rolname, rolcanlogin FROM pg_roles
WHERE rolname LIKE 'tenant%' AND rolname NOT LIKE 'tenant_template%' ORDER BY 1
"""


@dataclass(frozen=True)
class Row:
    """The registry's row of a tenant."""

    slug: str
    uid: str
    status: str
    server: str
    database: str
    user: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What must be as before after an error."""
        return self.status, self.server, self.database


class Site:
    """A project with a fleet on several servers, and its environment."""

    def __init__(
        self, project: Bake, tools: Environment, servers: dict[str, DatabaseServer], env: dict[str, str]
    ) -> None:
        self.project = project
        self.tools = tools
        self.servers = servers
        self.env = {"CACHE_SECONDS": "0.02", **env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        self.processes: list[subprocess.Popen[str]] = []
        self.forks = Forks(project, tools, self.env)
        self.archives = project.path.parent / "archives"
        self._step = project.path.parent / "step"

    def manage(self, *words: str, code: int | None = 0) -> str:
        """Run a command, and check that its output shows no password."""
        return self._hide(self.forks.run(COMMAND, "", "", "", *words, exit_code=code))

    def kill(self, where: str, *words: str) -> tuple[str, str]:
        """Run a command that is killed before a step, and return the step's name, empty without one, and the output."""
        return self._until("kill", where, words)

    def fail(self, where: str, *words: str) -> tuple[str, str]:
        """Run a command that has an error in place of a step, and return like `kill`."""
        return self._until("fail", where, words)

    def pause(self, where: str, *words: str) -> "Paused":
        """Start a command, and wait until it pauses before a step."""
        file = self._step.with_name(f"pause-{len(self.processes)}")
        process = self.start(COMMAND, "pause", where, str(file), *words)
        wait_for(file, process)
        return Paused(process, file)

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

    def tenant(self, slug: str) -> Row:
        """Return the registry's row of a tenant, read past the project."""
        return {row.slug: row for row in self.tenants()}[slug]

    def tenants(self) -> list[Row]:
        """Return the registry's rows of all tenants, read past the project."""
        rows = self.servers["default"].execute(TENANTS, "registry")
        return [Row(*map(str, row)) for row in rows]

    def content(self, slug: str) -> list[tuple[object, ...]]:
        """Return the rows of a tenant on the server that the registry names, read past the project."""
        tenant = self.tenant(slug)
        server = self.servers[tenant.server]
        return server.execute("SELECT id, name, value FROM projects_datapoint ORDER BY id", tenant.database)

    def databases(self) -> dict[str, list[str]]:
        """Return the databases of tenants on each server, without the templates that new ones are copied from."""
        return {name: [str(row[0]) for row in server.execute(DATABASES)] for name, server in self.servers.items()}

    def logins(self) -> list[str]:
        """Return the users that can log in, with their servers."""
        return [
            f"{name}: {role}" for name, server in self.servers.items() for role, may in server.execute(ROLES) if may
        ]

    def write(self, slug: str) -> None:
        """Write one row as the project does, and delete it."""
        self.forks.run(WRITE, slug)

    def check(self) -> None:
        """Check that each server has the databases, roles, logins and files that the registry asks for, and no others.

        A tenant that is active can be written to, and `acme` is.
        """
        registry = self.servers["default"]
        rows, artifacts = self.tenants(), registry.execute(ARTIFACTS, "registry")
        ready = registry.execute(READY, "registry")
        assert {artifact[1] for artifact in artifacts} <= {"archive", "closed"}, artifacts
        assert all(row[-1] for row in ready), ready
        wanted: set[tuple[object, ...]] = set()
        users: set[tuple[object, ...]] = set()
        for row in rows:
            assert row.status in ("active", "suspended", "archived"), row
            if row.status != "archived":
                wanted.add((row.server, row.database, owner(row.uid), True, 0))
                users.add((row.server, row.user))
        wanted |= {(server, name, owner(uid), False, 0) for uid, kind, server, name, _ in artifacts if kind == "closed"}
        wanted |= {(server, name, owner(uid), True, 0) for uid, server, name, *_ in ready}
        users |= {(server, user) for _, server, _, user, _ in ready}
        found = {(name, *row) for name, server in self.servers.items() for row in server.execute(DATABASES)}
        assert found == wanted, found ^ wanted
        roles = {(name, *row) for name, server in self.servers.items() for row in server.execute(ROLES)}
        ends = ("", "_a", "_b")
        assert {role[:2] for role in roles} == {(row[0], f"{row[2]}{end}") for row in wanted for end in ends}, roles
        assert {role[:2] for role in roles if role[2]} == users, (roles, users)
        files = {str(path) for path in self.archives.glob("*")}
        assert files == {artifact[-1] for artifact in artifacts if artifact[1] == "archive"}
        if self.tenant("acme").status == "active":
            self.write("acme")

    def _until(self, how: str, where: str, words: tuple[str, ...]) -> tuple[str, str]:
        self._step.unlink(missing_ok=True)
        output = self._hide(self.forks.run(COMMAND, how, where, self._step, *words, exit_code=None))
        if not self._step.exists():
            return "", output
        return self._step.read_text(), output

    def _hide(self, output: str) -> str:
        assert PASSWORD not in output
        assert quote(PASSWORD, safe="") not in output
        return output


@dataclass
class Paused:
    """A command that pauses before a step."""

    process: "subprocess.Popen[str]"
    file: Path

    def go_on(self) -> tuple[int, str]:
        """Let the command go on, and return its exit code and output."""
        self.file.unlink()
        output = finish(self.process)
        assert PASSWORD not in output
        return self.process.returncode, output


def owner(uid: object) -> str:
    """Return the role that owns the databases of a tenant with this uid."""
    return f"tenant_{str(uid).replace('-', '')[:20]}"


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
