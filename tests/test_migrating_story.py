"""`migrate_tenants --jobs`: processes share the work, and one of them dies."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment

SLUGS = ["acme", "chell", "glados", "horza", "wheatley"]
#: Waits until both processes run, then inserts a row with its process id, or dies where a file says so.
MIGRATION = """
import os
import time
from pathlib import Path
from django.db import migrations

def work(apps, schema_editor):
    alias = schema_editor.connection.alias
    Path(f"process-{os.getpid()}").touch()
    deadline = time.monotonic() + 10
    while len(list(Path().glob("process-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    if Path(f"{alias}-dies").exists():
        os._exit(9)
    apps.get_model("projects", "DataPoint").objects.using(alias).create(name=os.getpid(), value=os.getppid())

class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]
    operations = [migrations.RunPython(work)]
"""
Rows = list[tuple[str, float]]
Deploy = tuple[Bake, Callable[..., str], Callable[[str], Rows]]


@pytest.fixture
def deploy(bake: Baker, environment: Callable[[str], Environment], tmp_path: Path) -> Deploy:
    """Return a project with five tenants and a new migration, a runner of its commands, and a reader of rows."""
    django = variants.DJANGO or "6.1"
    project = bake(
        primary_database="sqlite", secondary_database="none", tenant_databases="managed", django_version=django
    )
    env = settings.production(project, settings.sqlite(tmp_path))

    def manage(*words: str, code: int | None = 0) -> str:
        return project.run(environment(django), "python", "manage.py", *words, env=env, code=code)

    def rows(slug: str) -> Rows:
        with sqlite3.connect(tmp_path / f"tenant_{slug}.sqlite3") as database:
            return database.execute("SELECT name, value FROM projects_datapoint").fetchall()

    manage("migrate", "--verbosity", "0")
    for slug in SLUGS:
        manage("create_tenant", slug)
    project.write("projects/migrations/0002_work.py", MIGRATION)
    return project, manage, rows


def test_two_processes_share_the_work(deploy: Deploy) -> None:
    _, manage, rows = deploy
    announced, *lines = manage("migrate_tenants", "--jobs", "2").splitlines()
    assert announced == "Migrating 5 tenants …"
    assert sorted(line.partition("] ")[2] for line in lines) == [f"{slug}: done (1 applied)" for slug in SLUGS]
    assert [line.partition(" ")[0] for line in lines] == [f"[{number}/5]" for number in range(1, 6)]
    # Each tenant was migrated once, by one of two processes with one parent.
    left = [row for slug in SLUGS for row in rows(slug)]
    assert len(left) == 5
    assert len({name for name, _ in left}) == 2
    assert len({parent for _, parent in left}) == 1


def test_every_tenant_is_reported_when_a_process_dies_and_the_next_run_completes(deploy: Deploy) -> None:
    project, manage, rows = deploy
    project.write("tenant_glados-dies", "")
    said = manage("migrate_tenants", "--jobs", "2", code=1)
    assert sorted(re.findall(r"^\[\d/5\] (\w+): ", said, re.MULTILINE)) == SLUGS, said
    assert "glados: failed: its process ended" in said, said
    assert re.search(r"of 5 tenants failed: .*glados", said), said
    (project.path / "tenant_glados-dies").unlink()
    manage("migrate_tenants", "--jobs", "2")
    for slug in SLUGS:
        assert len(rows(slug)) == 1, f"{slug} was migrated once"
