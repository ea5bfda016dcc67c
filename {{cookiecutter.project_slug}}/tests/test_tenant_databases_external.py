"""External tenants: their databases are looked at, read and written, and never changed in their structure."""

from __future__ import annotations

import json
import tempfile
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections, router
from django.test import TestCase

from databases.models import Tenant
from databases.tenants import use_tenant
from projects.models import DataPoint

from . import production
from .scratch_server import ScratchServerTestCase
from .two_tenants import ALL_DATABASES, APERTURE, APERTURE_ALIAS, VAVATCH


def outcome(*words: str, **options: object) -> str:
    """Return what a command prints, and how it is refused."""
    stdout = StringIO()
    try:
        call_command(*words, stdout=stdout, **options)
    except CommandError as error:
        stdout.write(f"refused: {error}")
    return stdout.getvalue()


def tables(alias: str) -> set[str]:
    return set(connections[alias].introspection.table_names())


class SeedTests(TestCase):
    databases = ALL_DATABASES

    def test_both_test_tenants_hold_the_seeded_rows(self):
        for slug in (APERTURE, VAVATCH):
            with use_tenant(slug):
                names = list(DataPoint.objects.order_by("pk").values_list("name", flat=True))
                self.assertEqual(names, ["temperature", "pressure", "humidity"])


class CreateTenantTests(ScratchServerTestCase):
    databases = ALL_DATABASES

    def test_it_registers_a_database_that_holds_what_is_expected(self):
        before = tables(APERTURE_ALIAS)
        for _ in range(2):
            self.assertIn("active", outcome("create_tenant", APERTURE))
        self.assertEqual(tables(APERTURE_ALIAS), before)
        self.assertEqual(Tenant.objects.get().status, Tenant.Status.ACTIVE)

    def test_a_second_run_leaves_a_suspended_tenant_suspended(self):
        Tenant.objects.create(slug=APERTURE, database=APERTURE_ALIAS, status=Tenant.Status.SUSPENDED)
        self.assertIn(f"{APERTURE}: suspended, in", outcome("create_tenant", APERTURE))

    def test_it_refuses_a_database_that_is_missing_and_makes_none(self):
        slug = self.new_slug()
        for _ in range(2):
            refusal = outcome("create_tenant", slug)
            self.assertIn(f"refused: {slug}: ", refusal)
            self.assertIn(f"tenant_{slug}", refusal)
            self.assertEqual(Tenant.objects.get(slug=slug).status, Tenant.Status.PENDING)

    def test_it_refuses_a_database_without_the_tables_and_names_them(self):
        slug = self.new_slug()
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}")
        make_as_its_owner_would(f"tenant_{slug}")
        self.assertIn("lacks the tables projects_datapoint: ask its owner", outcome("create_tenant", slug))
        self.assertEqual(tables(f"tenant_{slug}"), set())
        with connections[f"tenant_{slug}"].schema_editor() as editor:
            editor.create_model(DataPoint)
        self.assertIn("active", outcome("create_tenant", slug))

    def test_a_tenant_that_no_setting_declares_is_not_migrated_even_in_tests(self):
        slug = self.new_slug()
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}")
        make_as_its_owner_would(f"tenant_{slug}")
        self.assertIn("migrate on", outcome("migrate", database=f"tenant_{slug}"))
        self.assertEqual(tables(f"tenant_{slug}"), set())


class ProductionTests(TestCase):
    databases = ALL_DATABASES

    def test_production_reads_and_writes_rows_and_is_refused_all_else(self):
        with tempfile.TemporaryDirectory() as folder:
            url = production.url_of(APERTURE_ALIAS, folder)
            name = Path(url.partition("?")[0]).name.removesuffix(".sqlite3")
            found = production.run(
                f"from {__name__} import in_production\nin_production({name!r})",
                DATABASE_URL=f"sqlite:///{folder}/primary.sqlite3",
                TENANT_DATABASE_URL=url.replace(name, "{name}"),
            )
        self.assertEqual(found["row"], "cake")
        self.assertEqual(found["allowed"], {APERTURE_ALIAS: False, "default": False})
        self.assertEqual(found["after"], found["before"])
        for attempt, result in found["attempts"].items():
            with self.subTest(attempt):
                self.assertIn("is refused: another application owns that database", result)


def in_production(database: str) -> None:
    """Run in a process of its own: register the tenant, use it, and try to change its database."""
    outcome("migrate", verbosity=0)
    outcome("create_tenant", APERTURE, database=database)
    before = sorted(tables(APERTURE_ALIAS))
    with use_tenant(APERTURE):
        point = DataPoint.objects.create(name="cake", value=1)
        row = DataPoint.objects.get(pk=point.pk).name
        point.delete()
    fixture = str(settings.BASE_DIR / "seeds" / "fixtures" / "tenant.json")
    attempts = {
        "migrate": outcome("migrate", database=APERTURE_ALIAS),
        "migrate an app": outcome("migrate", "projects", "zero", database=APERTURE_ALIAS),
        "flush": outcome("flush", database=APERTURE_ALIAS, interactive=False),
        "loaddata": outcome("loaddata", fixture, database=APERTURE_ALIAS),
        "migrate as the tenant": outcome("tenant_command", APERTURE, "migrate"),
        "flush as the tenant": outcome("tenant_command", APERTURE, "flush", "--no-input"),
        "loaddata as the tenant": outcome("tenant_command", APERTURE, "loaddata", fixture),
    }
    after = sorted(tables(APERTURE_ALIAS))
    allowed = {alias: router.allow_migrate(alias, "projects") for alias in (APERTURE_ALIAS, "default")}
    print(json.dumps({"before": before, "after": after, "row": row, "attempts": attempts, "allowed": allowed}))


def make_as_its_owner_would(alias: str) -> None:
    """Make an empty database for a tenant."""
    connection = connections[alias]
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])}")
