"""Migrations that one release squashes and the next one deletes, with tenants at each stage."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import call_command

from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_connection, maintenance_settings
from databases.tenants.managed import migration_history, migration_plan
from databases.tenants.managed.tests.older_release import remove_points, run_sql
from databases.tenants.managed.tests.releases import ReleaseTestCase
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint

MAKE = 'migrations.CreateModel("DataPoint", [("id", models.BigAutoField(primary_key=True))])'
ADD = 'migrations.AddField("datapoint", "unit", models.CharField(max_length=9, default="m"))'
REPLACES = 'replaces = [("layer_points", "0001_initial"), ("layer_points", "0002_unit")]'
FIRST = f"operations = [{MAKE}]"
SECOND = f'dependencies = [("layer_points", "0001_initial")]; operations = [{ADD}]'
BOTH = f"initial = True; operations = [{MAKE}, {ADD}]"

BEFORE = {"0001_initial": FIRST, "0002_unit": SECOND}
SQUASHED = {**BEFORE, "0001_squashed": f"{REPLACES}; {BOTH}"}
NEXT = {"0001_squashed": BOTH}


class SquashingTests(ReleaseTestCase):
    def setUp(self):
        super().setUp()
        with self.release(BEFORE):
            self.slugs = [self.new_slug() for _ in ("all", "half", "none")]
            _, half, none = [create_tenant(slug) for slug in self.slugs]
            record = "DELETE FROM django_migrations WHERE app = 'layer_points' AND name = '0002_unit'"
            run_sql(half, f"ALTER TABLE {DataPoint._meta.db_table} DROP COLUMN unit", record)
            remove_points(none)

    def migrate(self) -> list[str]:
        stdout = StringIO()
        call_command("migrate_tenants", stdout=stdout)
        return stdout.getvalue().splitlines()

    def state_of(self, slug: str) -> tuple[set[str], list[str]]:
        """Return the recorded migrations of the app, and the columns of its table."""
        tenant = Tenant.objects.get(slug=slug)
        with (
            maintenance_connection(tenant.alias, maintenance_settings(tenant)) as connection,
            connection.cursor() as cursor,
        ):
            columns = connection.introspection.get_table_description(cursor, DataPoint._meta.db_table)
            recorded = {name for app, name in migration_history.applied_in(connection) if app == "layer_points"}
            self.assertEqual(migration_history.lacking(migration_history.applied_in(connection)), [])
        return recorded, sorted(column.name for column in columns)

    def test_tenants_at_any_migration_get_the_same_tables(self):
        with self.release(SQUASHED):
            self.migrate()
            for slug in self.slugs:
                with self.subTest(slug):
                    recorded, columns = self.state_of(slug)
                    self.assertEqual(columns, ["id", "unit"])
                    self.assertIn("0001_squashed", recorded)

    def test_a_second_run_makes_no_plan(self):
        with self.release(SQUASHED):
            self.migrate()
            with mock.patch.object(migration_plan, "MigrationExecutor", side_effect=AssertionError("a plan was made")):
                lines = self.migrate()
            self.assertEqual([line.partition(": ")[2] for line in lines], ["done (nothing to do)"] * 3)

    def test_the_next_release_may_delete_replaced_migrations(self):
        with self.release(SQUASHED):
            self.migrate()
        with self.release(NEXT):
            self.assertEqual([line.partition(": ")[2] for line in self.migrate()], ["done (nothing to do)"] * 3)
            for slug in self.slugs:
                self.assertEqual(self.state_of(slug)[1], ["id", "unit"])
