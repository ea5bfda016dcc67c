"""Tasks of tenants, run by a real Celery worker that takes them from a real Redis."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import commands, documents, environments, redis, settings
from tests.support.bakes import Bake
from tests.support.databases import NotInstalledError
from tests.support.environments import Environment

SLUGS = ("acme", "horza")
APP = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from celery import Celery
app = Celery("site", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks(["projects"])
"""
#: Tasks as a reader of the README writes them. The README's own tasks stand before these in the file.
TASKS = """
from databases.tenants import current_tenant

@shared_task(base=TenantTask)
def who(*args):
    return [*(args[0] if args else []), current_tenant()]

@shared_task(base=TenantTask, bind=True, max_retries=1)
def who_after_a_retry(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return current_tenant()

@shared_task
def who_without_the_base():
    return current_tenant()

@shared_task(base=TenantTask)
def count():
    return DataPoint.objects.count()
"""
#: Fails for the tenant "horza" while the file "horza-fails" exists.
MIGRATION = """
from pathlib import Path
from django.db import migrations

def fail(apps, schema_editor):
    if schema_editor.connection.alias == "tenant_horza" and Path("horza-fails").exists():
        raise ValueError("on purpose")

class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]
    operations = [migrations.RunPython(fail)]
"""
SEND = """
import json
from pathlib import Path
import django
django.setup()
from celery import chain
from config.celery import app
from databases.tenants import CrossTenantError, NoTenantError, use_tenant
from projects import tasks

def refusal(send):
    try:
        return send()
    except Exception as error:
        return type(error).__name__

def wait(result):
    return refusal(lambda: result.get(timeout=60))

seen = {}
seen["migrated"] = wait(tasks.migrate.delay("acme"))
seen["not migrated"] = wait(tasks.migrate.delay("horza"))
Path("horza-fails").unlink()
seen["migrated again"] = wait(tasks.migrate.delay("horza"))
seen["migrated twice"] = wait(tasks.migrate.delay("horza"))
seen["unknown"] = wait(tasks.migrate.delay("unknown"))
with use_tenant("acme"):
    seen["its own"] = wait(tasks.who.delay())
    seen["by a chain"] = wait(chain(tasks.who.s(), tasks.who.s(), tasks.who.s()).delay())
    seen["after a retry"] = wait(tasks.who_after_a_retry.delay())
    seen["without the base"] = wait(tasks.who_without_the_base.delay())
    seen["for another"] = refusal(lambda: tasks.who.apply_async(headers={"tenant": "horza"}))
    seen["called"] = tasks.who()
    seen["eagerly"] = tasks.who.apply().get()
with use_tenant("horza"):
    seen["the next"] = wait(tasks.who.delay())
seen["sent by none"] = refusal(tasks.who.delay)
seen["arrived without"] = wait(app.send_task("projects.tasks.who"))
tasks.add_point_to_all("cake")
with use_tenant("acme"):
    tasks.add_point.delay("one more").get(timeout=60)
for slug in ("acme", "horza"):
    with use_tenant(slug):
        seen[slug] = wait(tasks.count.delay())
print(json.dumps(seen))
"""


@pytest.fixture
def site(bake: Baker) -> tuple[Bake, Environment]:
    """A project with tenants and the tasks of its README, and an environment with Celery."""
    project = bake(primary_database="sqlite", secondary_database="none", tenant_databases="managed")
    wanted = [*environments.requirements([project.read("pyproject.toml")]), "celery>=5.4", "redis>=5"]
    tools = environments.make("celery", sys.executable, wanted)
    project.write("config/celery.py", APP)
    first, *others = documents.blocks(project.read("README.md"), "py")
    project.write("projects/tasks.py", "".join([first, TASKS, *others]))
    return project, tools


def test_a_task_runs_as_the_tenant_it_was_sent_under(site: tuple[Bake, Environment], tmp_path: Path) -> None:
    project, tools = site
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(redis.running(tmp_path))
        except NotInstalledError as error:
            pytest.skip(str(error))
        production = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": ".example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": f"sqlite:///{tmp_path}/primary.sqlite3",
            "TENANT_DATABASE_URL": f"sqlite:///{tmp_path}/{{name}}.sqlite3",
            "REDIS": broker,
        }
        project.run(tools, "python", "manage.py", "migrate", "--verbosity", "0", env=production)
        for slug in SLUGS:
            project.run(tools, "python", "manage.py", "create_tenant", slug, env=production)
        project.write("projects/migrations/0002_fails.py", MIGRATION)
        project.write("horza-fails", "")
        stack.enter_context(worker(project, tools, production))
        sent = project.run(
            tools, "python", "-c", SEND, env={**production, "DJANGO_SETTINGS_MODULE": "config.settings"}, timeout=120
        )
    assert json.loads(sent.splitlines()[-1]) == {
        "migrated": "done (1 applied)",
        "not migrated": "RuntimeError",
        "migrated again": "done (1 applied)",
        "migrated twice": "done (nothing to do)",
        "unknown": "UnknownTenantError",
        "its own": ["acme"],
        "by a chain": ["acme", "acme", "acme"],
        "after a retry": "acme",
        # The control: without the base class the tenant is not carried.
        "without the base": "NoTenantError",
        "for another": "CrossTenantError",
        "called": ["acme"],
        "eagerly": ["acme"],
        "the next": ["horza"],
        "sent by none": "NoTenantError",
        "arrived without": "NoTenantError",
        "acme": 2,
        "horza": 1,
    }


@contextlib.contextmanager
def worker(project: Bake, tools: Environment, env: dict[str, str]) -> Iterator[None]:
    """Run a worker that does one task at a time."""
    log = project.path.parent / "worker.log"
    words = ["--app", "config.celery", "worker", "--concurrency", "1", "--loglevel", "INFO"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [tools.bin / "celery", *words],
            cwd=project.path,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        assert process.poll() is None, log.read_text()
        process.terminate()
        process.wait()
