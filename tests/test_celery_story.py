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

SLUGS = ("acme", "closed", "horza")
APP = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from celery import Celery
from celery.schedules import crontab
app = Celery("site", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks(["projects"])
"""
#: Stands after the README's schedule: its entries are due at once, and again and again.
DUE = """
for entry in app.conf.beat_schedule.values():
    entry["schedule"] = 0.5
"""
#: Tasks as a reader of the README writes them. The README's own tasks stand before these in the file.
TASKS = """
import os
import signal
from pathlib import Path
from django.apps import apps
from databases.tenants import current_tenant
from databases.tenants.context import slug_or_none
from databases.tenants.leases import opened

class Noting(TenantTask):
    # Its handlers write where, and as which tenant, they were called.
    def before_start(self, *args):
        self.note("before_start")
    def on_success(self, *args):
        self.note("on_success")
    def on_failure(self, *args):
        self.note("on_failure")
    def on_retry(self, *args):
        self.note("on_retry")
    def after_return(self, *args):
        self.note("after_return")
    def note(self, method):
        with open("handlers", "a") as file:
            print(self.name.rpartition(".")[2], method, slug_or_none(), DataPoint.objects.count(), file=file)

def note(*words):
    with open("errbacks", "a") as file:
        print(*words, file=file)

@shared_task(base=TenantTask)
def who(*args):
    return [*(args[0] if args else []), current_tenant().slug]

@shared_task(base=TenantTask, bind=True, max_retries=1)
def who_after_a_retry(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return current_tenant().slug

@shared_task
def who_without_the_base():
    return current_tenant().slug

@shared_task
def plainly(seen=()):
    # With what earlier messages have left in this process.
    return [*seen, slug_or_none(), *opened.aliases()]

@shared_task(base=TenantTask)
def count(*args):
    return DataPoint.objects.count()

@shared_task(base=Noting)
def succeed():
    return current_tenant().slug

@shared_task(base=Noting)
def fail():
    DataPoint.objects.count()
    raise ValueError("on purpose")

@shared_task(base=Noting, bind=True, max_retries=1)
def fail_after_a_retry(self):
    raise self.retry(exc=ValueError("on purpose"), countdown=0)

@shared_task(base=TenantTask)
def fail_without_handlers():
    raise ValueError("on purpose")

@shared_task
def fail_without_the_base():
    raise ValueError("on purpose")

@shared_task(base=TenantTask)
def called_errback(request, error, traceback):
    note("called", current_tenant().slug, DataPoint.objects.count())

@shared_task(base=TenantTask)
def sent_errback(task_id):
    note("sent", current_tenant().slug, DataPoint.objects.count())

@shared_task(base=TenantTask)
def finds(model, key):
    return apps.get_model(model).objects.filter(pk=key).exists()

@shared_task(base=TenantTask)
def lose_worker():
    os.kill(os.getpid(), signal.SIGKILL)

@shared_task(base=TenantTask, acks_late=True, reject_on_worker_lost=True)
def survive():
    # The first worker process dies, and the broker delivers the message again.
    if not Path("was-here").exists():
        Path("was-here").write_text(current_tenant().slug)
        os.kill(os.getpid(), signal.SIGKILL)
    return [Path("was-here").read_text(), current_tenant().slug]
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
import time
from contextlib import suppress
from pathlib import Path
import django
django.setup()
from celery import chain, chord, group
from celery.signals import after_task_publish
from config.celery import app
from django.db import transaction
from databases import atomic_for, on_commit_for
from databases.tenants import CrossTenantError, NoTenantError, use_tenant
from events.models import Event
from notes.models import Note
from projects import tasks
from projects.models import DataPoint

def refusal(send):
    try:
        return send()
    except Exception as error:
        return type(error).__name__

def wait(result):
    return refusal(lambda: result.get(timeout=60))

def lines_of(file, number):
    # The worker calls handlers and errbacks after it has stored the result.
    deadline = time.monotonic() + 20
    while len(lines := Path(file).read_text().splitlines()) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    return lines

def committed(model, values):
    # How many messages were sent within the block, after it, and after one that was rolled back; what the task found.
    published, sent = [], []
    note = lambda **message: published.append(message)
    after_task_publish.connect(note)
    with use_tenant("acme"):
        with atomic_for(model):
            row = model.objects.create(**values)
            on_commit_for(model, lambda: sent.append(tasks.finds.delay(model._meta.label, row.pk)))
            seen = [len(published)]
        seen.append(len(published))
        with suppress(ZeroDivisionError), atomic_for(model):
            model.objects.create(**values)
            on_commit_for(model, lambda: tasks.finds.delay(model._meta.label, row.pk))
            1 / 0
        seen.append(len(published))
        after_task_publish.disconnect(note)
        return [*seen, wait(sent[0])]

def too_early():
    # The control: this waits for the primary, in which no transaction is open, so the task is sent at once.
    with use_tenant("acme"), atomic_for(DataPoint):
        row, sent = DataPoint.objects.create(name="early", value=1), []
        transaction.on_commit(lambda: sent.append(tasks.finds.delay("projects.DataPoint", row.pk)))
        transaction.set_rollback(True, using="tenant_acme")
        return wait(sent[0])

seen = {}
seen["migrated"] = wait(tasks.migrate.delay("acme"))
seen["not migrated"] = wait(tasks.migrate.delay("horza"))
Path("horza-fails").unlink()
seen["migrated again"] = wait(tasks.migrate.delay("horza"))
seen["migrated twice"] = wait(tasks.migrate.delay("horza"))
wait(tasks.migrate.delay("closed"))
seen["unknown"] = wait(tasks.migrate.delay("unknown"))
rows = {Note: {"text": "a"}, Event: {"action": "a", "note_id": 1}, DataPoint: {"name": "a", "value": 1}}
seen["on commit"] = {model.__name__: committed(model, values) for model, values in rows.items()}
seen["too early"] = too_early()
with use_tenant("acme"):
    DataPoint.objects.all().delete()
with use_tenant("acme"):
    seen["its own"] = wait(tasks.who.delay())
    seen["by a chain"] = wait(chain(tasks.who.s(), tasks.who.s(), tasks.who.s()).delay())
    seen["after a retry"] = wait(tasks.who_after_a_retry.delay())
    seen["without the base"] = wait(tasks.who_without_the_base.delay())
    seen["for another"] = refusal(lambda: tasks.who.apply_async(headers={"tenant": "horza"}))
    seen["called"] = tasks.who()
    seen["eagerly"] = tasks.who.apply().get()
    seen["by a chain with a plain task"] = wait(chain(tasks.who.s(), tasks.plainly.s(), tasks.who.s()).delay())
    seen["by a group"] = wait(group(tasks.who.s(), tasks.plainly.s()).delay())
    seen["by a chord"] = wait(chord([tasks.plainly.s(), tasks.who.s()], tasks.count.s()).delay())
    seen["by a plain chord"] = wait(chord([tasks.plainly.s(), tasks.plainly.s()], tasks.count.s()).delay())
    linked = tasks.plainly.apply_async(link=tasks.who.s([]))
    linked.get(timeout=60)
    seen["by a link"] = wait(linked.children[0])
    seen["by name"] = wait(app.send_task("projects.tasks.who"))
    for task in (tasks.succeed, tasks.fail, tasks.fail_after_a_retry):
        wait(task.delay())
    seen["left"] = wait(tasks.plainly.delay())
    for task in (tasks.fail_without_handlers, tasks.fail_without_the_base, tasks.lose_worker):
        for errback in (tasks.called_errback, tasks.sent_errback):
            wait(task.apply_async(link_error=errback.s()))
    seen["delivered again"] = wait(tasks.survive.delay())
seen["handlers"] = lines_of("handlers", 11)
seen["errbacks"] = sorted(lines_of("errbacks", 6))
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
#: Waits until beat has sent its task for each active tenant.
WAIT_FOR_BEAT = """
import json
import time
import django
django.setup()
from databases.tenants import use_tenant
from projects.models import DataPoint

def nightly(slug):
    with use_tenant(slug):
        return DataPoint.objects.filter(name="nightly").exists()

deadline = time.monotonic() + 60
while not (nightly("acme") and nightly("horza")) and time.monotonic() < deadline:
    time.sleep(0.1)
print(json.dumps({slug: nightly(slug) for slug in ("acme", "closed", "horza")}))
"""


@pytest.fixture
def site(bake: Baker) -> tuple[Bake, Environment]:
    """A project with tenants and the tasks of its README, and an environment with Celery."""
    project = bake(primary_database="sqlite", secondary_database="writable", tenant_databases="managed")
    wanted = [*environments.requirements([project.read("pyproject.toml")]), "celery>=5.4", "redis>=5"]
    tools = environments.make("celery", sys.executable, wanted)
    first, *others = documents.blocks(project.read("databases/tenants/README.md"), "py")
    (schedule,) = [block for block in others if "beat_schedule" in block]
    others.remove(schedule)
    project.write("config/celery.py", "".join([APP, schedule, DUE]))
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
            "SECONDARY_DATABASE_URL": f"sqlite:///{tmp_path}/secondary.sqlite3",
            "TENANT_DATABASE_URL": f"sqlite:///{tmp_path}/{{name}}.sqlite3",
            "REDIS": broker,
        }
        project.run(tools, "python", "manage.py", "migrate_databases", env=production)
        for slug in SLUGS:
            project.run(tools, "python", "manage.py", "create_tenant", slug, env=production)
        project.write("projects/migrations/0002_fails.py", MIGRATION)
        project.write("horza-fails", "")
        project.run(tools, "python", "manage.py", "suspend_tenant", "closed", env=production)
        stack.enter_context(running(project, tools, production, "worker", "--concurrency", "1", "--loglevel", "INFO"))
        scripts = {**production, "DJANGO_SETTINGS_MODULE": "config.settings"}
        sent = project.run(tools, "python", "-c", SEND, env=scripts, timeout=120)
        stack.enter_context(running(project, tools, production, "beat", "--schedule", f"{tmp_path}/beat"))
        scheduled = project.run(tools, "python", "-c", WAIT_FOR_BEAT, env=scripts, timeout=120)
    assert json.loads(scheduled.splitlines()[-1]) == {"acme": True, "closed": False, "horza": True}
    assert json.loads(sent.splitlines()[-1]) == {
        # Nothing is sent within the block, one task after it, and none after a rollback. The task finds the row.
        "on commit": {model: [0, 1, 1, True] for model in ("Note", "Event", "DataPoint")},
        "too early": False,
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
        # A plain task does not run as the tenant, and passes it on.
        "by a chain with a plain task": ["acme", None, "acme"],
        "by a group": [["acme"], [None]],
        "by a chord": 0,
        "by a plain chord": 0,
        "by a link": [None, "acme"],
        "by name": ["acme"],
        "delivered again": ["acme", "acme"],
        "left": [None],
        "handlers": [
            f"{task} {handler} acme 0"
            for task, handlers in {
                "succeed": ["before_start", "on_success", "after_return"],
                "fail": ["before_start", "on_failure", "after_return"],
                "fail_after_a_retry": ["before_start", "on_retry", "before_start", "on_failure", "after_return"],
            }.items()
            for handler in handlers
        ],
        # After an error of each kind of task, and of a killed process: see SEND.
        "errbacks": ["called acme 0"] * 3 + ["sent acme 0"] * 3,
        "the next": ["horza"],
        "sent by none": "NoTenantError",
        "arrived without": "NoTenantError",
        "acme": 2,
        "horza": 1,
    }


@contextlib.contextmanager
def running(project: Bake, tools: Environment, env: dict[str, str], *words: str) -> Iterator[None]:
    """Run one of Celery's programs, such as a worker that does one task at a time."""
    log = project.path.parent / f"{words[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [tools.bin / "celery", "--app", "config.celery", *words],
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
