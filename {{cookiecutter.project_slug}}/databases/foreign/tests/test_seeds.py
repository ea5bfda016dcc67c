"""Test databases of foreign roles hold the rows of their fixtures, in every test and with the dumped values."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connections, models
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from databases.foreign.seeding import load_seed
from databases.foreign.tests.small_project import SEED, SEEDS, SmallProject
from databases.registry import is_foreign, models_of, role_of_alias
from databases.testing.settings import LAYER
from databases.tests import production

FOREIGN = [alias for alias in connections if is_foreign(alias)]


def seeded() -> Iterator[tuple[str, type[models.Model], dict[str, Any]]]:
    """Yield alias, model and record for each row that the layer's test apps seed."""
    for alias in FOREIGN:
        for config in apps.get_app_configs():
            fixture = Path(config.path, "fixtures", f"{LAYER}{role_of_alias(alias)}.json")
            if config.label.startswith(LAYER) and fixture.exists():
                for record in json.loads(fixture.read_text(encoding="utf-8")):
                    yield alias, apps.get_model(record["model"]), record


class SeededCase:
    databases = {"default", *FOREIGN}

    def assert_seeded(self) -> None:
        """Assert that each foreign database holds the seeded rows with their dumped values, and no others."""
        expected: dict[tuple[str, type[models.Model]], set[Any]] = {}
        for alias, model, record in seeded():
            expected.setdefault((alias, model), set()).add(record["pk"])
            instance = model._base_manager.using(alias).get(pk=record["pk"])
            for name, value in record["fields"].items():
                field = model._meta.get_field(name)
                where = f"{record['model']} {record['pk']} {name} in {alias}"
                if field.many_to_many:
                    found = getattr(instance, name).using(alias).values_list("pk", flat=True)
                    self.assertEqual(set(found), set(value), where)
                else:
                    self.assertEqual(getattr(instance, field.attname), field.to_python(value), where)
        self.assertEqual({alias for alias, _ in expected}, set(FOREIGN))
        for (alias, model), keys in expected.items():
            found = model._base_manager.using(alias).values_list("pk", flat=True)
            self.assertEqual(set(found), keys, f"{model._meta.label} in {alias}")

    def spoil(self) -> None:
        """Add, change and delete rows of the test apps in every foreign database."""
        for alias, model in {(alias, model) for alias, model, _ in seeded()}:
            instance = model._base_manager.using(alias).earliest("pk")
            instance.pk = None
            instance.save(using=alias, force_insert=True)
        for alias in FOREIGN:
            for model in models_of(role_of_alias(alias)):
                if model._meta.app_label.startswith(LAYER):
                    model._base_manager.using(alias).all().delete()

    def test_a_test_sees_the_rows_and_may_spoil_them(self):
        self.assert_seeded()
        self.spoil()

    def test_the_next_test_sees_the_rows_again(self):
        self.assert_seeded()
        self.spoil()


class TestCaseTests(SeededCase, TestCase):
    """A rollback restores the rows."""


class TransactionTestCaseTests(SeededCase, TransactionTestCase):
    def after(self, command: str) -> None:
        """Assert that the rows are there after a command, and that new rows get unused keys."""
        for alias in FOREIGN:
            call_command(command, database=alias, interactive=False, verbosity=0)
        self.assert_seeded()
        self.spoil()

    def test_after_a_flush_rows_are_back_and_new_rows_get_unused_keys(self):
        self.after("flush")

    def test_migrate_restores_the_rows_of_a_kept_database(self):
        self.spoil()
        self.after("migrate")


class SecondTransactionTestCaseTests(TransactionTestCaseTests):
    """The same tests again, after the other class has flushed the databases."""


class PrimaryTests(SimpleTestCase):
    def test_only_the_test_database_of_a_foreign_database_is_seeded(self):
        with self.assertRaisesMessage(
            RuntimeError, "Seeds are for the test databases of foreign databases, and 'default'"
        ):
            load_seed(Path("nowhere"), apps, "default")

    def test_production_does_not_install_the_seeds(self):
        self.assertNotIn("seeds", production.own_settings()["INSTALLED_APPS"])


MODELS = """
from django.db import models

class Book(models.Model):
    headline = models.CharField(max_length=50)

class ProxyOfBook(Book):
    class Meta:
        proxy = True

class UnmanagedWithoutTable(models.Model):
    class Meta:
        managed = False
"""
CREATED = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Book", [("id", models.BigAutoField(primary_key=True)), ("title", models.CharField(max_length=50))]
        )
    ]
"""
RENAMED = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("{app}", "0001_initial")]
    operations = [migrations.RenameField("book", "title", "headline")]
"""
#: What `seeds/migrations/0001_seed.py` tells its owner to do, for one app.
PINNED = """
    dependencies = [each for each in dependencies if each[0] != "pinned"] + [("pinned", "0001_initial")]
    run_before = [("pinned", "0002_headline")]
"""
TESTS = """
from django.db import connections
from django.test import TransactionTestCase
from pinned.models import Book as Pinned
from unpinned.models import Book as Unpinned
from seeds import FIXTURES

class FirstTests(TransactionTestCase):
    databases = ["default", "partner"]

    def test_rows(self):
        expected = ["Phlebas"] if "Phlebas" in "".join(each.read_text() for each in FIXTURES.glob("*")) else []
        for model in (Pinned, Unpinned):
            found = model._base_manager.using("partner")
            self.assertEqual([each.headline for each in found], expected)
            found.all().delete()
        self.assertNotIn("pinned_book", connections["default"].introspection.table_names())

class SecondTests(FirstTests):
    pass
"""
ROWS = [
    {"model": "pinned.book", "pk": 1, "fields": {"title": "Phlebas"}},
    {"model": "unpinned.book", "pk": 1, "fields": {"headline": "Phlebas"}},
]


class FixtureTests(SimpleTestCase):
    """A small project with a foreign database, whose test databases are built from different fixtures."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.project = SmallProject(folder.name, "databases.foreign.tests.partner_settings")
        cls.project.write({**SEEDS, SEED: SEEDS[SEED] + PINNED})
        for app in ("pinned", "unpinned"):
            migrations = {"0001_initial": CREATED, "0002_headline": RENAMED.format(app=app)}
            cls.project.write({f"{app}/migrations/{name}.py": text for name, text in migrations.items()})
            cls.project.write({f"{app}/models.py": MODELS})
        cls.project.write({f"{app}/migrations/__init__.py": "" for app in ("pinned", "unpinned")})
        cls.project.write({"pinned/tests.py": TESTS})

    def run_tests(self, records: list[dict[str, Any]] | None) -> tuple[int, str]:
        """Run the project's tests with a fixture, or without a folder of fixtures. Return exit code and errors."""
        shutil.rmtree(self.project.path / "seeds" / "fixtures", ignore_errors=True)
        if records is not None:
            self.project.write({"seeds/fixtures/partner.json": json.dumps(records)})
        process = self.project.command("test", "pinned")
        return process.returncode, process.stderr

    def assert_passes(self, records: list[dict[str, Any]] | None) -> None:
        code, errors = self.run_tests(records)
        self.assertIn("Ran 2 tests", errors)
        self.assertEqual(code, 0, errors)

    def test_databases_are_built_without_fixtures_and_with_an_empty_one(self):
        self.assert_passes(None)
        self.assert_passes([])

    def test_a_seed_follows_the_last_migration_or_the_one_it_is_pinned_to(self):
        self.assert_passes(ROWS)

    def test_rows_of_an_app_that_is_not_installed_stop_the_start(self):
        code, errors = self.run_tests([{"model": "wiki.page", "pk": 1, "fields": {}}])
        self.assertEqual(code, 1)
        self.assertIn("seeds/fixtures/partner.json has rows of the app 'wiki', which is not installed", errors)
