"""`move_tenant --online` between two servers of PostgreSQL 16 or newer, while pages are served."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import replicating_fleet
from tests.support.environments import Environment
from tests.support.replicating_fleet import COMMAND, KEEPER, Site
from tests.support.variants import DJANGO

ROWS = 20000


@pytest.fixture
def site(bake: Baker, environment: Callable[[str], Environment], tmp_path: Path) -> Iterator[Site]:
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(primary_database="postgresql", secondary_database="none", tenant_databases="fleet", **version)
    with replicating_fleet.running(
        tmp_path, project, environment(str(project.answers["django_version"])), ROWS
    ) as made:
        yield made


#: A name that is SQL where it is not quoted.
HOSTILE = """
import django
django.setup()
from django.db import connections
from databases.tenants import use_tenant
with use_tenant("acme"), connections["tenant_acme"].cursor() as cursor:
    cursor.execute('CREATE TABLE "x""; DROP TABLE projects_datapoint; --" (id serial PRIMARY KEY)')
"""


def test_rows_that_are_written_meanwhile_are_not_lost(site: Site, tmp_path: Path) -> None:
    site.run(HOSTILE)
    with site.written(tmp_path / "running") as seen:
        for server in ("eu", "default", "eu"):
            began = time.monotonic()
            output = site.manage("move_tenant", "acme", "--server", server, "--online")
            took = time.monotonic() - began
            assert "acme: active, in the database tenant_" in output
            assert (site.row()["status"], site.row()["server"], site.leftovers()) == ("active", server, [])
    print(f"\n{seen}, the last move took {took:.1f} s")
    assert (seen["lost"], seen["twice"]) == ([], 0)
    assert seen["written"] > 100
    assert set(seen["failed"]) <= {"TenantUnavailableError", "OperationalError"}
    assert site.count() == ROWS + seen["written"]
    # Its sequences go on behind the rows, and each old database is kept.
    site.run(
        "import django; django.setup()\n"
        "from databases.tenants import use_tenant\n"
        "from projects.models import DataPoint\n"
        "with use_tenant('acme'): DataPoint.objects.create(name='x', value=1)"
    )
    assert site.databases() == [2, 2]
    site.manage("purge_archived_tenants", "--older-than", "0d")
    assert site.databases() == [0, 1]


KILLED = [
    "fleet.relocate:claim_database",
    "fleet.replication:own_settings",
    "fleet.dumps:copy",
    "fleet.replication:Replication.start",
    "fleet.replication:Replication.wait_until_copied",
    "fleet.relocate:close",
    "fleet.replication:Replication.catch_up",
    "fleet.replication:detach",
    "fleet.replication:Replication.stop",
    "fleet.relocate:contents",
    "fleet.relocate:seal",
    "fleet.relocate:open_again",
    "fleet.relocate:keep_closed",
]


def test_a_killed_move_is_cancelled_or_run_again_and_leaves_nothing(site: Site) -> None:
    for number, place in enumerate(KILLED):
        site.run(COMMAND, place, "move_tenant", "acme", "--server", "eu", "--online", status=-signal.SIGKILL)
        if number % 3:
            site.manage("move_tenant", "acme", "--cancel")
            assert (site.row()["status"], site.row()["server"]) == ("active", "default"), place
            assert site.databases() == [1, 0], place
        else:
            how = [] if site.row()["status"] == "moving" else ["--online"]
            site.manage("move_tenant", "acme", "--server", "eu", *how)
            assert (site.row()["status"], site.row()["server"]) == ("active", "eu"), place
            site.manage("move_tenant", "acme", "--server", "default")
            site.manage("purge_archived_tenants", "--older-than", "0d")
        assert (site.leftovers(), site.count(), site.databases()) == ([], ROWS, [1, 0]), place


def test_what_is_not_replicated_is_refused_and_an_error_leaves_nothing(site: Site) -> None:
    server, database = site.servers["default"].server, site.row()["database"]
    move = ("move_tenant", "acme", "--server", "eu", "--online")
    for make, undo, name in (
        ("CREATE TABLE keyless (id int)", "DROP TABLE keyless", "the table without a primary key keyless"),
        ("CREATE MATERIALIZED VIEW seen AS SELECT 1", "DROP MATERIALIZED VIEW seen", "the materialized view seen"),
        ("SELECT lo_create(4711)", "SELECT lo_unlink(4711)", "large objects"),
        ("CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)", "DROP TABLE fast", "the unlogged table fast"),
        (
            "ALTER TABLE projects_datapoint FORCE ROW LEVEL SECURITY",
            "ALTER TABLE projects_datapoint NO FORCE ROW LEVEL SECURITY",
            "FORCE ROW LEVEL SECURITY of projects_datapoint",
        ),
    ):
        server.execute(make, database)
        refusal = f"Not replicated would be {name}: move it without --online."
        assert refusal in site.manage(*move, status=1)
        server.execute(undo, database)
    site.servers["eu"].server.execute(f"REVOKE pg_create_subscription FROM {KEEPER}")
    assert "its user pg_create_subscription" in site.manage(*move, status=1)
    site.servers["eu"].server.execute(f"GRANT pg_create_subscription TO {KEEPER}")
    # The rows do not fit: a rule that the tenant made since counts where its function is missing a table.
    server.execute(
        "CREATE FUNCTION short(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
        "$$ BEGIN RETURN current_setting('cluster_name') <> 'eu'; END $$",
        database,
    )
    server.execute("ALTER TABLE projects_datapoint ADD CHECK (short(name)) NOT VALID", database)
    site.servers["eu"].server.execute("ALTER SYSTEM SET cluster_name = 'eu'")
    site.servers["eu"].server.stop()
    site.servers["eu"].start()
    assert "Replicating 'acme' failed: the log of the new server says why." in site.manage(*move, status=1)
    assert (site.row()["status"], site.leftovers(), site.databases(), site.count()) == ("active", [], [1, 0], ROWS)
