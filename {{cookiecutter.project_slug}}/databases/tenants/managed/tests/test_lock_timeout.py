"""A migration of a table that another transaction uses fails soon. SQLite locks whole files, and limits the wait."""

from __future__ import annotations

from unittest import mock

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from databases import lock_timeout
from databases.tenants import use_tenant
from databases.tenants.lifecycle import create_tenant
from databases.tenants.maintenance import maintenance_settings
from databases.tenants.managed import migrate, migration_plan
from databases.tenants.managed.tests.releases import ReleaseTestCase
from databases.tenants.tests.points.models import DataPoint

BEFORE = {
    "0001_initial": """operations = [migrations.CreateModel("DataPoint", [
        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=80))])]"""
}
AFTER = {
    **BEFORE,
    "0002_unit": """dependencies = [("layer_points", "0001_initial")]
    operations = [migrations.AddField("datapoint", "unit", models.CharField(max_length=9, default="m"))]""",
}
ENGINE = settings.TENANT_SERVERS["default"]["ENGINE"]


class BusyTableTestCase(ReleaseTestCase):
    """Has a tenant of the previous release, and a transaction of another process that reads its table."""

    def setUp(self):
        super().setUp()
        with self.release(BEFORE):
            self.slug = create_tenant(self.new_slug()).slug
            config = maintenance_settings(create_tenant(self.slug))
        self.reader: BaseDatabaseWrapper = load_backend(ENGINE).DatabaseWrapper(config, "reader")
        self.addCleanup(self.reader.close)
        self.reader.set_autocommit(False)
        with self.reader.cursor() as cursor:
            if ENGINE.endswith("postgresql"):
                # A migration without a limit would wait for this test, which waits for the migration.
                cursor.execute("SET idle_in_transaction_session_timeout = '20s'")
            cursor.execute(f"SELECT * FROM {DataPoint._meta.db_table}")
        short = mock.patch.object(lock_timeout, "LOCK_SECONDS", 0.1)
        short.start()
        self.addCleanup(short.stop)

    def migrate(self, pause: mock.Mock) -> str:
        with self.release(AFTER), mock.patch.object(migration_plan, "sleep", pause):
            return migrate.migrate_tenant(self.slug).error


if not ENGINE.endswith("sqlite3"):

    class BusyTableTests(BusyTableTestCase):
        def test_the_tenant_fails_with_what_to_do_and_its_table_can_be_read(self):
            error = self.migrate(mock.Mock())
            self.assertIn("layer_points.0002_unit: another transaction kept a table locked", error)
            self.assertIn("run this again", error)
            with use_tenant(self.slug):
                self.assertEqual(list(DataPoint.objects.values_list("name")), [])
            self.reader.rollback()
            with self.release(AFTER):
                self.assertEqual(migrate.migrate_tenant(self.slug).applied, ["layer_points.0002_unit"])

        def test_djangos_command_has_the_same_limit(self):
            with mock.patch.object(migrate, "plan_for", return_value=None):
                self.assertIn("another transaction kept a table locked", self.migrate(mock.Mock()))


if ENGINE.endswith("postgresql"):

    class RetryTests(BusyTableTestCase):
        """On PostgreSQL alone: it rolls back what a migration has done before it met a lock."""

        def test_a_migration_is_tried_again_after_a_pause(self):
            pause = mock.Mock(side_effect=lambda seconds: self.reader.rollback())
            self.assertEqual(self.migrate(pause), "")
            pause.assert_called_once()

        def test_a_table_that_stays_locked_is_tried_a_few_times(self):
            pause = mock.Mock()
            self.migrate(pause)
            self.assertEqual(pause.call_count, migration_plan.TRIES - 1)
