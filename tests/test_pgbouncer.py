"""Commands on tenants exclude each other although PgBouncer gives each of their transactions any session."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Baker
from tests.support import commands, pgbouncer, settings
from tests.support.bakes import Bake
from tests.support.databases import NotInstalledError
from tests.support.environments import Environment
from tests.support.own_postgres import wait_until
from tests.support.postgres import TESTER, Postgres
from tests.support.variants import DJANGO

#: For one tenant, waits while a file exists. The process waits, so the server does nothing more if it is killed.
MIGRATION = """
import time
from pathlib import Path
from django.db import migrations

def wait(apps, schema_editor):
    while schema_editor.connection.alias == "tenant_acme" and Path("waits").exists():
        Path("has-begun").touch()
        time.sleep(0.02)

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunPython(wait)]
"""
SESSIONS = 4
HELD = """
SELECT pid FROM pg_locks JOIN pg_database ON oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""
REFUSED = "Another process works on the tenant 'acme'"


class Place:
    """A project whose primary database is behind PgBouncer, with the tenant acme."""

    def __init__(self, project: Bake, tools: Environment, env: dict[str, str], held: Callable[[], int]) -> None:
        self.project = project
        self.tools = tools
        self.env = env
        #: Returns how many locks are held on the server in this project's primary database.
        self.held = held

    def manage(self, *words: str, code: int = 0) -> str:
        """Run a command, and return its output."""
        return self.project.run(self.tools, "python", "manage.py", *words, env=self.env, code=code)

    @contextlib.contextmanager
    def waiting(self, *words: str) -> Iterator[None]:
        """Within the block, a command waits in a new migration. Then it is killed."""
        before = max(file.stem for file in (self.project.path / "projects/migrations").glob("0*.py"))
        self.project.write("projects/migrations/0099_waits.py", MIGRATION.format(before=before))
        waits, has_begun = (self.project.path / name for name in ("waits", "has-begun"))
        waits.touch()
        process = subprocess.Popen(
            [self.tools.python, "manage.py", *words],
            cwd=self.project.path,
            env={**commands.clean_environment(), **self.env},
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: has_begun.exists() or process.poll() is not None)
            assert process.poll() is None
            yield
        finally:
            process.kill()
            process.wait()
            waits.unlink()


@pytest.fixture
def place(
    bake: Baker,
    environment: Callable[[str], Environment],
    postgres: Postgres,
    database_names: Iterator[str],
) -> Iterator[Place]:
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="managed", **version)
    name = next(database_names)
    postgres.execute(f"CREATE DATABASE {name} OWNER {TESTER}")
    # Commands on tenants connect to the tenants' server itself.
    tenants = postgres.url_for_tests(name).replace(f"/{name}", f"/{name}_{{name}}", 1)

    def held() -> int:
        return len(postgres.execute(HELD, name))

    try:
        with pgbouncer.running(postgres, name, SESSIONS) as url:
            env = {
                **settings.production(project, lambda name: tenants),
                "DATABASE_URL": f"{url}&disable_server_side_cursors=true",
            }
            made = Place(project, environment(project.answers["django_version"]), env, held)
            made.manage("migrate", "--verbosity", "0")
            made.manage("create_tenant", "acme")
            yield made
    except NotInstalledError as error:
        pytest.skip(str(error))


def test_one_command_at_a_time_works_on_a_tenant_behind_pgbouncer(place: Place) -> None:
    with place.waiting("migrate_tenants", "acme"):
        assert place.held() == 2, "the lock of the command, and that of the tenant"
        for _ in range(2):
            assert REFUSED in place.manage("create_tenant", "acme", code=1)
        # A command on another tenant is not refused, and ends no lock of the first one.
        place.manage("create_tenant", "horza")
        assert place.held() == 2
    wait_until(lambda: place.held() == 0)
    assert "acme: done (1 applied)" in place.manage("migrate_tenants", "acme")
    for _ in range(3):
        for words in (["create_tenant", "acme"], ["migrate_tenants"], ["migrate_databases"]):
            place.manage(*words)
            assert place.held() == 0, words


def test_a_lock_of_a_session_would_stay_with_pgbouncer(place: Place) -> None:
    """What the test above finds: PgBouncer keeps the session, and its lock, when the command has ended."""
    assert place.held() == 0
    code = place.project.read("databases/locks.py")
    place.project.write("databases/locks.py", code.replace("pg_try_advisory_xact_lock", "pg_try_advisory_lock"))
    place.manage("create_tenant", "acme")
    assert place.held() == 1
