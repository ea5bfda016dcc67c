"""A queue of Django's tasks in the secondary, with the worker of `django-tasks-db`: an outbox, and what it is not."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import documents, environments, settings
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.template import ROOT

#: Each argument is a piece of work, which may end the process. Prints what was raised.
SCRIPT = """
import os
import sys
import django
django.setup()
from functools import partial
from django.conf import settings
from databases import atomic_for, on_commit_for
from databases.tenants import use_tenant
from events.models import Event
from events.tasks import add_measurement, describe
from notes.models import Note
from projects.models import DataPoint

# As in development.
settings.DETECT_UNCOVERED_WRITES = True

def record(action):
    event = Event.objects.create(action=action, note_id=1)
    describe.enqueue(event.pk)

def commit():
    with atomic_for(Event):
        record("committed")

def roll_back():
    with atomic_for(Event):
        record("rolled back")
        1 / 0

def die_before_the_commit():
    with atomic_for(Event):
        record("never committed")
        os._exit(0)

def die_after_the_commit():
    with atomic_for(Event):
        record("committed before the process died")
    os._exit(0)

def write_elsewhere():
    with atomic_for(Note):
        describe.enqueue(1)

def measure():
    with use_tenant("acme"), atomic_for(DataPoint):
        DataPoint.objects.create(name="written by the sender", value=1)
        on_commit_for(DataPoint, partial(add_measurement.enqueue, "written by the task"))

def measure_and_roll_back():
    with use_tenant("acme"), atomic_for(DataPoint):
        on_commit_for(DataPoint, partial(add_measurement.enqueue, "after a rollback"))
        1 / 0

def lose():
    # The limit: the primary has committed, and nothing says that a task was to follow.
    with atomic_for(Note):
        Note.objects.create(text="without its task")
        on_commit_for(Note, lambda: os._exit(0))
        on_commit_for(Note, partial(describe.enqueue, 1))

def show():
    import json
    from django.db import connections
    from django_tasks_db.models import DBTaskResult
    tables = {alias: "django_tasks_database_dbtaskresult" in connections[alias].introspection.table_names()
              for alias in ("default", "secondary")}
    with use_tenant("acme"):
        tables["acme"] = "django_tasks_database_dbtaskresult" in connections["tenant_acme"].introspection.table_names()
        points = sorted(DataPoint.objects.values_list("name", flat=True))
    print(json.dumps({
        "tables": [alias for alias, there in tables.items() if there],
        "events": sorted(Event.objects.values_list("action", flat=True)),
        "tasks": sorted(str(task.return_value) for task in DBTaskResult.objects.all()),
        "statuses": sorted({str(status) for status in DBTaskResult.objects.values_list("status", flat=True)}),
        "points": points,
        "notes": Note.objects.count(),
    }))

for name in sys.argv[1:]:
    try:
        globals()[name]()
    except Exception as error:
        # Before the process may end itself.
        print(type(error).__name__, error, flush=True)
"""


@pytest.fixture
def site(bake: Baker) -> tuple[Bake, Environment]:
    """A project with the queue, settings and tasks of `docs/how-to/tasks.md`, and an environment with its worker."""
    django = "6.1"
    try:
        python = environments.python_for(django)
    except environments.NoPythonError as error:
        pytest.skip(str(error))
    project = bake(
        primary_database="sqlite", secondary_database="writable", tenant_databases="managed", django_version=django
    )
    wanted = [*environments.requirements([project.read("pyproject.toml")]), "django-tasks-db>=0.13"]
    told = (ROOT / "docs/how-to/tasks.md").read_text(encoding="utf-8")
    line, setting, tasks, *_ = documents.blocks(told, "python")
    assert line.startswith("APP_DATABASES")
    databases = project.read("config/databases.py")
    project.write("config/databases.py", f"{databases}\nAPP_DATABASES |= {line.partition('=')[2]}")
    project.write("config/settings.py", f"{project.read('config/settings.py')}\n{setting}")
    project.write("events/tasks.py", tasks)
    return project, environments.make("tasks", python, wanted)


def test_a_task_is_enqueued_with_the_rows_of_its_database_or_not_at_all(
    site: tuple[Bake, Environment], tmp_path: Path
) -> None:
    project, tools = site
    env = {
        **settings.production(project, settings.sqlite(tmp_path)),
        "TENANT_DATABASE_URL": settings.sqlite(tmp_path)("{name}"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }

    def run(*words: str) -> str:
        return project.run(tools, "python", *words, env=env)

    run("manage.py", "check")
    run("manage.py", "migrate_databases")
    run("manage.py", "create_tenant", "acme")
    run("-c", SCRIPT, "die_before_the_commit")
    run("-c", SCRIPT, "die_after_the_commit")
    said = run("-c", SCRIPT, "commit", "roll_back", "measure", "measure_and_roll_back", "write_elsewhere", "lose")
    assert re.findall(r"^\w+Error", said, re.MULTILINE) == [
        "ZeroDivisionError",
        "ZeroDivisionError",
        "TransactionManagementError",
    ], said
    assert "A write to 'secondary' inside atomic() on 'default' would survive its rollback" in said
    run("manage.py", "db_worker", "--batch", "--no-startup-delay")
    committed = ["committed", "committed before the process died"]
    assert json.loads(run("-c", SCRIPT, "show").splitlines()[-1]) == {
        "tables": ["secondary"],
        "events": committed,
        "tasks": ["acme", *committed],
        "statuses": ["SUCCESSFUL"],
        "points": ["written by the sender", "written by the task"],
        "notes": 1,
    }
