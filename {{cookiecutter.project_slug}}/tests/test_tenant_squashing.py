"""Migrations that one release squashes and a later one deletes, with tenants at every point of that way."""

from __future__ import annotations

import sys
import tempfile
import uuid
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from databases.models import Tenant
from databases.tenants import history, plans
from databases.tenants.lifecycle import create_tenant
from databases.tenants.upkeep import settings_of
from projects.models import DataPoint

from .scratch_server import ScratchServerTestCase

MAKE = 'migrations.CreateModel("DataPoint", [("id", models.BigAutoField(primary_key=True))])'
ADD = 'migrations.AddField("datapoint", "unit", models.CharField(max_length=9, default="m"))'
REPLACES = 'replaces = [("projects", "0001_initial"), ("projects", "0002_unit")]'
FIRST = f"operations = [{MAKE}]"
SECOND = f'dependencies = [("projects", "0001_initial")]; operations = [{ADD}]'
BOTH = f"initial = True; operations = [{MAKE}, {ADD}]"

BEFORE = {"0001_initial": FIRST, "0002_unit": SECOND}
SQUASHED = {**BEFORE, "0001_squashed": f"{REPLACES}; {BOTH}"}
AFTERWARDS = {"0001_squashed": BOTH}


class SquashingTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        with self.release(BEFORE):
            self.slugs = [self.new_slug() for _ in ("all of them", "half of them", "none")]
            for slug, last in zip(self.slugs, ("0002_unit", "0001_initial", "zero"), strict=True):
                tenant = create_tenant(slug)
                with connections.instead(tenant.alias, settings_of(tenant)):
                    call_command("migrate", "projects", last, database=tenant.alias, verbosity=0)

    @contextmanager
    def release(self, files: dict[str, str]):
        """Within the block the app has these migrations, as a process that was started with them sees it."""
        name = f"release_{uuid.uuid4().hex}"
        (self.folder / name).mkdir()
        for file, body in {"__init__": "", **{key: f"    {body}" for key, body in files.items()}}.items():
            head = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
            (self.folder / name / f"{file}.py").write_text(f"{head}{body}\n" if body else "")
        try:
            with override_settings(MIGRATION_MODULES={"projects": name}):
                self.forget()
                yield
        finally:
            self.forget()

    def forget(self) -> None:
        history.release.cache_clear()
        history.fingerprint.cache_clear()

    def migrate(self) -> list[str]:
        stdout = StringIO()
        call_command("migrate_tenants", stdout=stdout)
        return stdout.getvalue().splitlines()

    def state_of(self, slug: str) -> tuple[set[str], list[str]]:
        """Return the recorded migrations of the app, and the columns of its table."""
        tenant = Tenant.objects.get(slug=slug)
        with connections.instead(tenant.alias, settings_of(tenant)) as connection, connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, DataPoint._meta.db_table)
            recorded = {name for app, name in history.applied_in(connection) if app == "projects"}
            self.assertEqual(history.lacking(history.applied_in(connection)), [])
        return recorded, sorted(column.name for column in columns)

    def test_tenants_at_every_point_of_the_way_arrive_at_the_same_tables(self):
        with self.release(SQUASHED):
            self.migrate()
            for slug in self.slugs:
                with self.subTest(slug):
                    recorded, columns = self.state_of(slug)
                    self.assertEqual(columns, ["id", "unit"])
                    self.assertIn("0001_squashed", recorded)

    def test_a_second_run_finds_nothing_to_do_without_working_anything_out(self):
        with self.release(SQUASHED):
            self.migrate()
            with mock.patch.object(plans, "MigrationExecutor", side_effect=AssertionError("worked out")):
                lines = self.migrate()
            self.assertEqual([line.partition(": ")[2] for line in lines], ["done (nothing to do)"] * 3)

    def test_those_that_were_replaced_may_go_in_the_next_release(self):
        with self.release(SQUASHED):
            self.migrate()
        with self.release(AFTERWARDS):
            self.assertEqual([line.partition(": ")[2] for line in self.migrate()], ["done (nothing to do)"] * 3)
            for slug in self.slugs:
                self.assertEqual(self.state_of(slug)[1], ["id", "unit"])
