"""External tenants: rows are read and written, and the schema is never changed."""

from __future__ import annotations

import json
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections, router
from django.test import TestCase

from databases.foreign import source
from databases.tenants import use_tenant
from databases.tenants.external.tests.readings.models import Reading
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.scratch_server import ScratchServerTestCase
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS, SECOND
from databases.tests import production


def outcome(*words: str, **options: object) -> str:
    """Return what a command prints, and its refusal if there is one."""
    stdout = StringIO()
    try:
        call_command(*words, stdout=stdout, **options)
    except CommandError as error:
        stdout.write(f"refused: {error}")
    return stdout.getvalue()


def tables(alias: str) -> set[str]:
    return set(connections[alias].introspection.table_names())


class SeedTests(TestCase):
    databases = DATABASES

    def test_both_test_tenants_have_the_seeded_rows(self):
        for slug in (FIRST, SECOND):
            with use_tenant(slug):
                names = list(Reading.objects.order_by("pk").values_list("name", flat=True))
                self.assertEqual(names, ["temperature", "pressure", "humidity"])


class CreateTenantTests(ScratchServerTestCase):
    databases = DATABASES

    def test_a_database_with_the_expected_tables_is_registered(self):
        before = tables(FIRST_ALIAS)
        for _ in range(2):
            self.assertIn("active", outcome("create_tenant", FIRST))
        self.assertEqual(tables(FIRST_ALIAS), before)
        self.assertEqual(Tenant.objects.get().status, Tenant.Status.ACTIVE)

    def test_migrate_databases_names_it_and_leaves_it_alone(self):
        outcome("create_tenant", FIRST)
        before = tables(FIRST_ALIAS)
        self.assertIn(f"tenant_{FIRST}: skipped: its owner migrates it", outcome("migrate_databases"))
        self.assertEqual(tables(FIRST_ALIAS), before)

    def test_a_second_run_leaves_a_suspended_tenant_suspended(self):
        Tenant.objects.create(slug=FIRST, database=FIRST_ALIAS, status=Tenant.Status.SUSPENDED)
        self.assertIn(f"{FIRST}: suspended, in", outcome("create_tenant", FIRST))

    def test_a_wrong_name_can_be_corrected_or_removed_while_the_tenant_is_pending(self):
        slug, other = self.new_slug(), self.new_slug()
        self.assertIn("refused: ", outcome("create_tenant", slug, database="misspelt"))
        self.assertIn("refused: ", outcome("create_tenant", other))
        with mock.patch(f"{settings.TENANT_PROVISIONING}.make_ready"):
            self.assertIn("active, in the database right", outcome("create_tenant", slug, database="right"))
        self.assertIn("removed", outcome("purge_pending_tenant", other))
        self.assertIn("which is active", outcome("purge_pending_tenant", slug))
        self.assertEqual([tenant.slug for tenant in Tenant.objects.all()], [slug])

    def test_a_missing_database_is_refused_and_not_made(self):
        slug = self.new_slug()
        for _ in range(2):
            refusal = outcome("create_tenant", slug)
            self.assertIn(f"refused: {slug}: ", refusal)
            self.assertIn(f"tenant_{slug}", refusal)
            self.assertEqual(Tenant.objects.get(slug=slug).status, Tenant.Status.PENDING)

    def test_missing_tables_and_columns_are_named(self):
        slug, layer = self.new_slug(), [DataPoint, Reading]
        self.enterContext(mock.patch.object(source, "models_of", return_value=layer))
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}")
        make_database(f"tenant_{slug}")
        for missing in ("the table", "the column 'name'"):
            refusal = outcome("create_tenant", slug)
            for model in layer:
                self.assertIn(f"{model._meta.label}: {missing}", refusal)
            # As its owner would.
            with connections[f"tenant_{slug}"].cursor() as cursor:
                for model in layer:
                    cursor.execute(f"DROP TABLE IF EXISTS {model._meta.db_table}")
                    columns = [
                        field.column for field in model._meta.fields if "table" not in missing or field.primary_key
                    ]
                    cursor.execute(
                        f"CREATE TABLE {model._meta.db_table} ({', '.join(f'{each} integer' for each in columns)})"
                    )
        self.assertIn("active", outcome("create_tenant", slug))

    def test_an_undeclared_tenant_is_not_migrated_in_tests(self):
        slug = self.new_slug()
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}")
        make_database(f"tenant_{slug}")
        self.assertIn("migrate on", outcome("migrate", database=f"tenant_{slug}"))
        self.assertEqual(tables(f"tenant_{slug}"), set())


class ProductionTests(TestCase):
    databases = DATABASES

    def test_production_reads_and_writes_rows_only(self):
        with tempfile.TemporaryDirectory() as folder:
            url = production.url_of(FIRST_ALIAS, folder)
            name = Path(url.partition("?")[0]).name.removesuffix(".sqlite3")
            found = production.run(
                f"from {__name__} import in_production\nin_production({name!r})",
                DATABASE_URL=f"sqlite:///{folder}/primary.sqlite3",
                TENANT_DATABASE_URL=url.replace(name, "{name}"),
            )
        self.assertEqual(found["row"], "cake")
        self.assertEqual(found["allowed"], {FIRST_ALIAS: False, "default": False})
        self.assertEqual(found["after"], found["before"])
        for attempt, result in found["attempts"].items():
            with self.subTest(attempt):
                self.assertIn("is refused: another application owns that database", result)


def in_production(database: str) -> None:
    """Runs in a child process: register the tenant, use it, and try to change its database."""
    outcome("migrate", verbosity=0)
    outcome("create_tenant", FIRST, database=database)
    before = sorted(tables(FIRST_ALIAS))
    with use_tenant(FIRST):
        point = DataPoint.objects.create(name="cake", value=1)
        row = DataPoint.objects.get(pk=point.pk).name
        point.delete()
    fixture = str(Path(__file__).parent / "readings" / "fixtures" / "layer_tenant.json")
    attempts = {
        "migrate": outcome("migrate", database=FIRST_ALIAS),
        "migrate an app": outcome("migrate", "layer_points", "zero", database=FIRST_ALIAS),
        "flush": outcome("flush", database=FIRST_ALIAS, interactive=False),
        "loaddata": outcome("loaddata", fixture, database=FIRST_ALIAS),
        "migrate as the tenant": outcome("tenant_command", FIRST, "migrate"),
        "flush as the tenant": outcome("tenant_command", FIRST, "flush", "--no-input"),
        "loaddata as the tenant": outcome("tenant_command", FIRST, "loaddata", fixture),
    }
    after = sorted(tables(FIRST_ALIAS))
    allowed = {alias: router.allow_migrate(alias, "layer_points") for alias in (FIRST_ALIAS, "default")}
    print(json.dumps({"before": before, "after": after, "row": row, "attempts": attempts, "allowed": allowed}))


def make_database(alias: str) -> None:
    """Make an empty database for a tenant, like its owner."""
    connection = connections[alias]
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])}")
