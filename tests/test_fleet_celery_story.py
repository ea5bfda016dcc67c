"""Commands for many tenants of a fleet, run by real Celery workers, one for each server, while a server goes down."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import documents, environments, own_postgres, redis, settings
from tests.support.bakes import Bake
from tests.support.databases import NotInstalledError
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres
from tests.test_celery_story import running

#: By slug, the server.
TENANTS = {"acme": "default", "horza": "default", "chell": "eu", "vavatch": "eu"}
APP = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from celery import Celery
app = Celery("site", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.broker_connection_retry_on_startup = True
"""
#: Writes a row, and says which worker did so. Fails for the tenant that is its word, and once for the word "short".
NOTE = """
import os
from pathlib import Path
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from databases.tenants import use_tenant
from databases.tenants.commands import command_errors
from projects.models import DataPoint

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("slug")
        parser.add_argument("word")
    def handle(self, *, slug, word, **options):
        if slug == word:
            raise CommandError(f"{slug}: on purpose")
        with command_errors(slug), use_tenant(slug):
            if word == "short" and not Path("short").exists():
                Path("short").touch()
                raise OperationalError("the server has just started again")
            DataPoint.objects.create(name=word, value=1)
        self.stdout.write(f"{slug} by {os.environ['WORKER']}")
"""
BEGIN = """
import json
import time
import django
django.setup()
from celery.result import GroupResult
from config.celery import app
from databases.fleet import celery
from databases.tenants import use_tenant
from databases.tenants.models import Tenant
from projects.models import DataPoint
slugs = ["acme", "horza", "chell", "vavatch"]

def wait(result):
    return [str(each.get(timeout=60, propagate=False)).strip() for each in result.results]

def refusal(*slugs, command="note", words=["never"]):
    try:
        celery.fan_out(command, slugs, *words)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""
SEND = (
    BEGIN
    + """
Tenant.objects.create(slug="closed", database="closed", status="archived")
Tenant.objects.create(slug="early", database="early")
seen = {}
seen["refused"] = [
    refusal("acme", "closed"), refusal("acme", "early"), refusal("acme", "unknown"),
    refusal("acme", command="migrate_tenants", words=["--check"]),
]
seen["migrated"] = wait(celery.fan_out("migrate_tenants", slugs))
result = celery.fan_out("note", [*slugs, "acme"], "horza")
seen["noted"] = wait(result)
seen["progress"] = celery.progress(result)
seen["by each tenant's command"] = wait(celery.fan_out("tenant_command", ["chell"], "showmigrations", "--plan"))
seen["short outage"] = wait(celery.fan_out("note", ["acme"], "short"))
seen["rows"] = {}
for slug in slugs:
    with use_tenant(slug):
        seen["rows"][slug] = [*DataPoint.objects.order_by("pk").values_list("name", flat=True)]
print(json.dumps(seen))
"""
)
#: While the server "eu" is down.
SEND_IN_OUTAGE = (
    BEGIN
    + """
results = [celery.fan_out("note", slugs, "late"), celery.fan_out("migrate_tenants", slugs)]
deadline = time.monotonic() + 60
def states():
    return [[each.state for each in result.results] for result in results]
while states() != [["SUCCESS", "SUCCESS", "RETRY", "RETRY"]] * 2 and time.monotonic() < deadline:
    time.sleep(0.05)
for result in results:
    result.save()
shown = [celery.progress(result) for result in results]
print(json.dumps({"states": states(), "progress": shown, "ids": [result.id for result in results]}))
"""
)
RESTORE = (
    BEGIN
    + """
import sys
results = [GroupResult.restore(each, app=app) for each in sys.argv[1:]]
print(json.dumps([[*wait(result), celery.progress(result)] for result in results]))
"""
)


@pytest.fixture
def servers() -> Iterator[dict[str, OwnPostgres]]:
    """The servers of the tenants. The first has the registry, too."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        yield {each: stack.enter_context(own_postgres.running(folder / each)) for each in ("default", "eu")}


@pytest.fixture
def site(bake: Baker) -> tuple[Bake, Environment]:
    """A fleet with what its README says of `fan_out`, and an environment with Celery."""
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="fleet")
    wanted = [*environments.requirements([project.read("pyproject.toml")]), "celery>=5.4", "redis>=5"]
    tools = environments.make("celery-postgresql", sys.executable, wanted)
    (imports,) = (
        block for block in documents.blocks(project.read("databases/fleet/README.md"), "py") if "conf.imports" in block
    )
    project.write("config/celery.py", APP + imports)
    folder = project.path / "projects/management/commands"
    folder.mkdir(parents=True, exist_ok=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    project.write("projects/management/commands/note.py", NOTE)
    return project, tools


def test_commands_run_by_the_worker_of_the_tenants_server_and_again_after_an_outage(
    site: tuple[Bake, Environment], servers: dict[str, OwnPostgres], tmp_path: Path
) -> None:
    project, tools = site
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(redis.running(tmp_path))
        except NotInstalledError as error:
            pytest.skip(str(error))
        url = {
            name: made.server.url_for_tests("{name}").replace("%7Bname%7D", "{name}") for name, made in servers.items()
        }
        servers["default"].server.execute("CREATE DATABASE registry OWNER tester")
        env = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": ".example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": url["default"].replace("{name}", "registry"),
            "TENANT_DATABASE_URL": url["default"],
            "TENANT_SERVERS": f"eu={url['eu']}",
            "TENANT_PASSWORD_KEYS": settings.PASSWORD_KEY,
            "REDIS": broker,
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        project.run(tools, "python", "manage.py", "migrate", "--verbosity", "0", env=env)
        for slug, server in TENANTS.items():
            project.run(tools, "python", "manage.py", "create_tenant", slug, "--server", server, env=env)
        for server in servers:
            words = ("--queues", f"tenants.{server}", "--concurrency", "1", "--hostname", f"{server}@site")
            stack.enter_context(running(project, tools, {**env, "WORKER": server}, "worker", *words))
        seen = json.loads(project.run(tools, "python", "-c", SEND, env=env, timeout=120).splitlines()[-1])
        (block,) = (
            each for each in documents.blocks(project.read("databases/fleet/README.md"), "py") if "fan_out" in each
        )
        documented = project.run(tools, "python", "-c", BEGIN + block, env=env)
        servers["eu"].crash()
        sent = json.loads(project.run(tools, "python", "-c", SEND_IN_OUTAGE, env=env).splitlines()[-1])
        servers["eu"].start()
        after = json.loads(project.run(tools, "python", "-c", RESTORE, *sent["ids"], env=env).splitlines()[-1])
    closed, early, unknown, words = seen["refused"]
    assert (
        closed
        == "StateError: Cannot run note for 'closed', which is archived: restore it first, with `restore_tenant`."
    )
    assert "StateError: Cannot run note for 'early', which is pending" in early
    assert "UnknownTenantError: There is no tenant 'unknown'" in unknown
    assert words == "ValueError: migrate_tenants takes no options here: --check. Leave them out."
    assert seen["migrated"] == ["done (nothing to do)"] * 4
    by = {slug: f"{slug} by {server}" for slug, server in TENANTS.items()}
    assert seen["noted"] == [by["acme"], "horza: on purpose", by["chell"], by["vavatch"]]
    assert seen["progress"] == "4 of 4, 1 failed"
    assert "[1/1] chell: done" in seen["by each tenant's command"][0]
    assert seen["short outage"] == [by["acme"]]
    # Nothing was sent for the refused ones.
    assert seen["rows"] == {"acme": ["horza", "short"], "horza": [], "chell": ["horza"], "vavatch": ["horza"]}
    assert documented.rstrip().endswith("of 2, 0 failed")
    assert sent["states"] == [["SUCCESS", "SUCCESS", "RETRY", "RETRY"]] * 2
    assert sent["progress"] == ["2 of 4, 0 failed"] * 2
    assert after == [[*by.values(), "4 of 4, 0 failed"], [*["done (nothing to do)"] * 4, "4 of 4, 0 failed"]]
