"""What a fleet of 100,000 tenants on 200 servers costs: a registry with real rows on a real PostgreSQL server.

The tenants have no databases, and all names of servers lead to one server: measured is what grows with the number of
rows. Each piece of work has a process of its own, which tells its time and its memory.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from tests.support import commands, settings
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import running
from tests.support.template import ROOT

ANSWERS = {
    "project_slug": "bench",
    "primary_database": "postgresql",
    "secondary_database": "none",
    "tenant_databases": "fleet",
    "django_version": "6.1",
}
#: A twentieth of the servers is new: it has no tenants yet. One tenant of 50 is archived, one of 50 suspended.
FILL = """
import random, sys
import django
django.setup()
from django.conf import settings
from django.db import connection
from databases.tenants.models import Tenant
chance = random.Random(1998)
names = list(settings.TENANT_SERVERS)[: -(len(settings.TENANT_SERVERS) // 20)]
statuses = ["archived", "suspended"] + ["active"] * 98
Tenant.objects.bulk_create(
    (
        Tenant(slug=f"tenant-{n}", host=f"tenant-{n}", database=f"tenant_tenant-{n}",
            server=chance.choice(names), status=statuses[n % 50] if n % 50 < 2 else "active")
        for n in range(int(sys.argv[1]))
    ),
    batch_size=5000,
)
with connection.cursor() as cursor:
    cursor.execute("VACUUM ANALYZE tenants_tenant")
"""
MEASURE = """
import json, random, resource, sys, time
from io import StringIO
from unittest import mock
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from databases.fleet import balance
from databases.fleet.placement import create_placed_tenant, server_for
from databases.fleet.usage import Usage
from databases.tenants.managed.waves import waves
from databases.tenants.models import Tenant
from databases.tenants.registry_cache import cache

work, tenants = sys.argv[1], int(sys.argv[2])
# Several hosts: the ones that the process has asked for are known.
hosts = [f"tenant-{n}" for n in range(0, tenants, max(1, tenants // 1000))]
settings.TENANT_CACHE_SECONDS = 1000
found = {}

def sizes(server, databases):
    chance = random.Random(server)
    return {each: Usage(0, int(chance.lognormvariate(17, 2))) for each in databases}

def register(number):
    with mock.patch("databases.tenants.managed.provision.make_ready"):
        create_placed_tenant(f"new-{number}")

def planned(**options):
    with mock.patch.object(balance, "usage_on", sizes):
        found["moves"] = len(balance.plan(**options))

if "host" in work:
    # In a web process, whose connections to the registry are pooled.
    from databases.serving import fit_connections
    fit_connections(asgi=False)
if work == "a known host":
    for host in hosts:
        cache.by_host(host)
def know_all(number):
    # As a process that has served every tenant.
    for start in range(0, tenants, 500):
        cache._read([("host", f"tenant-{n}") for n in range(start, min(start + 500, tenants))])

WORKS = {
    "nothing": (lambda n: None, 1),
    "a host, cold": (lambda n: cache.by_host(hosts[n]), len(hosts)),
    "a known host": (lambda n: cache.by_host(hosts[n]), len(hosts)),
    "every host, read together": (know_all, 1),
    "the server of a new tenant": (lambda n: server_for(f"other-{n}"), 20),
    "registering a new tenant": (register, 20),
    "`list_tenants`": (lambda n: call_command("list_tenants", stdout=StringIO()), 3),
    "`list_tenants --json`": (lambda n: call_command("list_tenants", "--json", stdout=StringIO()), 1),
    "cutting waves `1%,10%,rest`": (lambda n: waves("1%,10%,rest", list(Tenant.objects.all())), 3),
    "`fleet plan`": (lambda n: planned(), 1),
    "`fleet plan --by size`": (lambda n: planned(by_size=True), 1),
}
do, times = WORKS[work]
Tenant.objects.exists()
taken = []
for number in range(times):
    start = time.perf_counter()
    do(number)
    taken.append(time.perf_counter() - start)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"taken": taken, "memory": memory, **found}))
"""
WORKS = [
    "nothing",
    "a host, cold",
    "a known host",
    "every host, read together",
    "the server of a new tenant",
    "registering a new tenant",
    "`list_tenants`",
    "`list_tenants --json`",
    "cutting waves `1%,10%,rest`",
    "`fleet plan`",
    "`fleet plan --by size`",
]
#: The default of projects.
CONNECTIONS = 64


def told(seconds: float) -> str:
    """Return a time in words."""
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def main() -> None:
    """Fill the registry, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--only", choices=WORKS, action="append")
    arguments = parser.parse_args()
    tools = Environment(ROOT / ".envs/django-6.1")
    with tempfile.TemporaryDirectory() as name, running(Path(name) / "server") as own:
        folder = Path(name)
        folder.chmod(0o755)
        answers = [f"{key}={value}" for key, value in ANSWERS.items()]
        commands.run([commands.COOKIECUTTER, "--no-input", "-o", folder, ROOT, *answers], cwd=folder)
        site = Bake(folder / "bench", ANSWERS)
        url = own.server.url_for_tests("{name}").replace("%7Bname%7D", "{name}")
        own.server.execute("CREATE DATABASE registry OWNER tester")
        env = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": ".example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": url.replace("{name}", "registry"),
            "TENANT_DATABASE_URL": url,
            "TENANT_PASSWORD_KEYS": settings.PASSWORD_KEY,
            "TENANT_SERVERS": ",".join(f"server-{number}={url}" for number in range(1, arguments.servers)),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        site.run(tools, "python", "manage.py", "migrate", "--verbosity", "0", env=env)
        site.run(tools, "python", "-c", FILL, str(arguments.tenants), env=env)
        print("| work | median | longest | most memory of its process, MB |")
        print("|---|---|---|---|")
        for work in arguments.only or WORKS:
            words = ("python", "-c", MEASURE, work, str(arguments.tenants))
            seen = json.loads(site.run(tools, *words, env=env).splitlines()[-1])
            moves = f" ({seen['moves']:,} moves)" if "moves" in seen else ""
            times = (told(statistics.median(seen["taken"])), told(max(seen["taken"])))
            print(f"| {work}{moves} | {' | '.join(times)} | {seen['memory']:.0f} |", flush=True)
    print("\n| web processes | sessions on all servers, at most | on each, if spread evenly | on one server, at most |")
    print("|---|---|---|---|")
    for processes in (10, 50, 200, 1000):
        most = processes * CONNECTIONS
        print(f"| {processes:,} | {most:,} | {most / arguments.servers:.0f} | {most:,} |")


if __name__ == "__main__":
    main()
