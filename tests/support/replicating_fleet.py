"""A fleet on two servers of PostgreSQL that can replicate, and a process that writes to a tenant meanwhile."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support import commands, own_postgres, settings
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres
from tests.support.postgres import SETTINGS

KEEPER, PASSWORD = "keeper", "s3cret: of/the 100% keeper"
PG_HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
#: Makes the registry and a tenant with rows, each with this number of characters.
PREPARE = """
import sys
import django
django.setup()
from django.core.management import call_command
from databases.tenants import use_tenant
from projects.models import DataPoint
call_command("migrate", verbosity=0)
call_command("create_tenant", "acme", server="default")
with use_tenant("acme"):
    DataPoint.objects.bulk_create(DataPoint(name=f"row {n}", value=n) for n in range(ROWS))
"""
#: Writes one row after the other while a file exists, and prints which were written, and the longest time between two.
WRITE = """
import json, pathlib, sys, time
import django
django.setup()
from django.conf import settings
from django.db import Error, connections
settings.TENANT_CACHE_SECONDS = 0.2
from databases.tenants import use_tenant
from projects.models import DataPoint
file, names, failed, last, longest = pathlib.Path(sys.argv[1]), [], set(), time.monotonic(), 0
file.touch()
while file.exists():
    name = f"late {len(names)}"
    try:
        with use_tenant("acme"):
            DataPoint.objects.create(name=name, value=1)
    except Error as error:
        failed.add(type(error).__name__)
    else:
        names.append(name)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    finally:
        connections.close_all()
    # Less than a processor of its own.
    time.sleep(0.002)
with use_tenant("acme"):
    found = list(DataPoint.objects.filter(name__startswith="late").values_list("name", flat=True))
print(json.dumps({"written": len(names), "lost": sorted(set(names) - set(found)), "twice": len(found) - len(set(found)),
    "failed": sorted(failed), "longest": longest}))
"""

#: Runs a command, and is killed after a function of the project.
COMMAND = """
import importlib, os, signal, sys
import django
django.setup()
from django.conf import settings
from django.core.management import CommandError, call_command
settings.TENANT_CACHE_SECONDS = 0.2
place, *words = sys.argv[1:]
if place:
    module, name = place.split(":")
    found = importlib.import_module("databases." + module)
    *path, name = name.split(".")
    for each in path:
        found = getattr(found, each)
    real = getattr(found, name)
    def killed(*arguments, **options):
        real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(found, name, killed)
try:
    call_command(*words)
except CommandError as error:
    sys.exit(f"CommandError: {error}")
"""


class Site:
    """A project whose fleet has two servers."""

    def __init__(self, project: Bake, tools: Environment, servers: dict[str, OwnPostgres]) -> None:
        self.project, self.tools, self.servers = project, tools, servers
        login = f"{KEEPER}:{quote(PASSWORD, safe='')}@"
        urls = {name: self.url(server).replace("postgres:@", login) for name, server in servers.items()}
        self.env = {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": ".example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": urls["default"].replace("{name}", "registry"),
            "TENANT_DATABASE_URL": urls["default"],
            "TENANT_SERVERS": f"eu={urls['eu']}",
            "TENANT_PASSWORD_KEYS": settings.PASSWORD_KEY,
            "PATH": f"{servers['eu'].server.programs[0]}:{tools.bin}:{commands.clean_environment()['PATH']}",
        }

    def url(self, server: OwnPostgres) -> str:
        """Return the URL of a database on a server, with `{name}` in it."""
        return server.server.url("{name}").replace("%7Bname%7D", "{name}")

    def run(self, code: str, *words: str, status: int = 0) -> str:
        """Run Python in the project, and return its output."""
        return self.project.run(self.tools, "python", "-c", code, *words, env=self.env, code=status)

    def manage(self, *words: str, status: int = 0) -> str:
        """Run a command, and check that its output shows no password."""
        output = self.run(COMMAND, "", *words, status=status)
        assert PASSWORD not in output
        return output

    def row(self) -> dict[str, str]:
        """Return the registry's row of the tenant."""
        query = 'SELECT status, server, database, "user" FROM tenants_tenant'
        (row,) = self.servers["default"].server.execute(query, "registry")
        return dict(zip(("status", "server", "database", "user"), map(str, row), strict=True))

    def leftovers(self) -> list[object]:
        """Return slots, publications, subscriptions, users who may replicate or both log in, and other databases."""
        found: list[object] = []
        for server in self.servers.values():
            found += server.server.execute("SELECT slot_name FROM pg_replication_slots")
            found += server.server.execute("SELECT subname FROM pg_subscription")
            found += server.server.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant%' AND (rolreplication OR rolconfig IS NULL)"
                " AND rolname ~ '_[ab]$'"
            )
            for (name,) in server.server.execute("SELECT datname FROM pg_database WHERE datallowconn"):
                found += server.server.execute("SELECT pubname FROM pg_publication", str(name))
        query = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant%' AND rolcanlogin"
        logins = [str(name) for each in self.servers.values() for (name,) in each.server.execute(query)]
        return found + [name for name in logins if name != self.row()["user"]]

    def databases(self) -> list[int]:
        """Return the number of tenants' databases on each server."""
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'tenant%' AND datname NOT LIKE 'tenant_template%'"
        return [len(server.server.execute(query)) for server in self.servers.values()]

    def count(self) -> int:
        """Return the number of the tenant's rows."""
        row = self.row()
        found = self.servers[row["server"]].server.execute("SELECT count(*) FROM projects_datapoint", row["database"])
        return int(str(found[0][0]))

    @contextlib.contextmanager
    def written(self, flag: Path) -> Iterator[dict[str, Any]]:
        """Within the block, a process writes rows; afterwards the dictionary says which, and what has failed."""
        env = {**commands.clean_environment(), **self.env}
        command: list[str | Path] = [self.tools.python, "-c", WRITE, str(flag)]
        seen: dict[str, Any] = {}
        with subprocess.Popen(command, cwd=self.project.path, env=env, stdout=subprocess.PIPE, text=True) as writer:
            own_postgres.wait_until(flag.exists)
            try:
                yield seen
            finally:
                flag.unlink()
                seen |= json.loads(writer.communicate(timeout=60)[0].splitlines()[-1])


@contextlib.contextmanager
def running(folder: Path, project: Bake, tools: Environment, rows: int) -> Iterator[Site]:
    """Start the servers, and make a tenant with this number of rows."""
    more = f"{SETTINGS}wal_level = logical\n"
    with own_postgres.running(folder / "default", more) as default, own_postgres.running(folder / "eu", more) as eu:
        for each in (default, eu):
            (each.folder / "pg_hba.conf").write_text(PG_HBA)
            each.server.execute("SELECT pg_reload_conf()")
            each.server.execute(f"CREATE ROLE {KEEPER} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD '{PASSWORD}'")
            each.server.execute(f"GRANT pg_create_subscription TO {KEEPER}")
        default.server.execute(f"CREATE DATABASE registry OWNER {KEEPER}")
        found = Site(project, tools, {"default": default, "eu": eu})
        found.run(PREPARE.replace("ROWS", str(rows)))
        yield found
