"""`migrate_tenants --check` compares the tables of tenants with their recorded migrations."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command

from databases.tenants import current_tenant, use_tenant
from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_connection
from databases.tenants.managed import schema_check, template
from databases.tenants.managed.tests.older_release import run_sql
from databases.tenants.managed.tests.releases import ReleaseTestCase
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint

TABLE = DataPoint._meta.db_table
MAKE = """operations = [migrations.CreateModel("DataPoint", [
        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=80)),
        ("value", models.FloatField(null=True))])]"""
INDEX = """dependencies = [("layer_points", "0001_initial")]
    operations = [migrations.AddIndex("datapoint", models.Index(fields=["name"], name="points_by_name"))]"""
FILL = f"""from {__name__} import fill
    dependencies = [("layer_points", "0002_index")]
    operations = [migrations.RunPython(fill)]"""
OLD = {"0001_initial": MAKE}
NEW = {**OLD, "0002_index": INDEX}
FILLED = {**NEW, "0003_fill": FILL}


def fill(apps: Any, editor: Any) -> None:
    """Add a row with the name of the current tenant."""
    apps.get_model("layer_points", "DataPoint").objects.create(name=current_tenant(), value=1)


class SchemaCheckTests(ReleaseTestCase):
    def setUp(self):
        super().setUp()
        with self.release(OLD):
            self.old = create_tenant(self.new_slug())
        with self.release(NEW):
            self.new = create_tenant(self.new_slug())

    def check(self, *words: str) -> tuple[list[str], str]:
        """Return the lines about the tenants, and the error."""
        stdout, failure = StringIO(), ""
        with self.release(NEW):
            try:
                call_command("migrate_tenants", "--check", *words, stdout=stdout, stderr=StringIO())
            except CommandError as error:
                failure = str(error)
        return stdout.getvalue().splitlines(), failure

    def differences(self, tenant: Tenant) -> list[str]:
        lines, failure = self.check(tenant.slug)
        self.assertEqual(failure, f"1 of 1 tenants differ or failed: {tenant.slug}")
        return [line.removeprefix(f"{tenant.slug}: ") for line in lines]

    def test_tenants_of_every_release_are_compared_with_their_own_history(self):
        lines, failure = self.check()
        self.assertEqual(failure, "")
        self.assertEqual(
            sorted(lines), sorted(f"{each.slug}: as its migrations made it" for each in (self.old, self.new))
        )

    def test_nothing_is_migrated_and_nothing_is_left_behind(self):
        names = self.databases_like_templates()
        self.check()
        self.assertEqual(self.databases_like_templates(), names)
        with self.release(NEW):
            (lacking,) = [line for line in self.migrate() if self.old.slug in line]
        self.assertIn("1 applied", lacking)

    def migrate(self) -> list[str]:
        stdout = StringIO()
        call_command("migrate_tenants", stdout=stdout)
        return stdout.getvalue().splitlines()

    def databases_like_templates(self) -> list[str]:
        if not template.can_copy(self.server):
            return []
        return sorted(template.template_names("default", template.TEMPLATE))

    def test_a_column_that_is_missing_is_named(self):
        for tenant in (self.old, self.new):
            run_sql(tenant, f"ALTER TABLE {TABLE} DROP COLUMN value")
            self.assertEqual(self.differences(tenant), [f"{TABLE} lacks the column value"])

    def test_a_column_of_another_type_is_named(self):
        run_sql(self.new, f"ALTER TABLE {TABLE} DROP COLUMN value", f"ALTER TABLE {TABLE} ADD COLUMN value varchar(9)")
        (difference,) = self.differences(self.new)
        self.assertIn(f"the column value of {TABLE} differs: type is 'CharField' instead of 'FloatField'", difference)

    def test_an_index_that_is_missing_is_named(self):
        with maintenance_connection("scratch", self.new.connection_settings()) as connection:
            on_table = f" ON {TABLE}" if connection.vendor == "mysql" else ""
        run_sql(self.new, f"DROP INDEX points_by_name{on_table}")
        self.assertEqual(self.differences(self.new), [f"{TABLE} lacks the constraint points_by_name"])

    def test_tables_and_columns_that_no_migration_makes_are_named(self):
        run_sql(self.new, f"ALTER TABLE {TABLE} ADD COLUMN more integer", "CREATE TABLE extra (id integer)")
        self.assertEqual(
            self.differences(self.new),
            ["no migration makes the table extra", f"{TABLE} has the column more, which no migration makes"],
        )

    def test_a_table_that_is_missing_is_named(self):
        run_sql(self.old, f"DROP TABLE {TABLE}")
        self.assertEqual(self.differences(self.old), [f"the table {TABLE} is missing"])

    def test_findings_are_written_as_json(self):
        run_sql(self.old, f"ALTER TABLE {TABLE} DROP COLUMN value")
        Tenant.objects.filter(pk=self.new.pk).update(server="gone")
        lines, failure = self.check("--json")
        found = {each.pop("slug"): each for each in json.loads("\n".join(lines))}
        self.assertEqual(found[self.old.slug], {"differences": [f"{TABLE} lacks the column value"], "error": ""})
        self.assertIn("The server 'gone'", found[self.new.slug]["error"])
        self.assertIn("2 of 2", failure)

    def test_each_history_has_one_reference(self):
        with self.release(OLD):
            create_tenant(self.new_slug())
        with mock.patch.object(schema_check, "_reference", wraps=schema_check._reference) as reference:
            self.assertEqual(len(self.check()[0]), 3)
        self.assertEqual(reference.call_count, 2)

    def test_data_migrations_do_not_reach_the_tenants_rows(self):
        with self.release(FILLED):
            tenant = create_tenant(self.new_slug())
            call_command("migrate_tenants", "--check", tenant.slug, stdout=StringIO())
            with use_tenant(tenant.slug):
                self.assertEqual(list(DataPoint.objects.values_list("name", flat=True)), [tenant.slug])
