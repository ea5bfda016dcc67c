"""External test databases hold the rows of their fixture, in every test and as they were dumped."""

import json
from collections.abc import Iterator
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from django.apps import apps
from django.core.management import call_command
from django.db import connections, models
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from databases.external import models_of
from databases.roles import is_foreign, role_of_alias
from seeds import FIXTURES

from . import production


def seeded() -> Iterator[tuple[str, type[models.Model], dict[str, Any]]]:
    """Yield alias, model and record for each seeded row of each external database."""
    for alias in [alias for alias in connections if is_foreign(alias)]:
        for record in json.loads((FIXTURES / f"{role_of_alias(alias)}.json").read_text(encoding="utf-8")):
            yield alias, apps.get_model(record["model"]), record


class SeededCase:
    databases = "__all__"

    def assert_seeded(self) -> None:
        """Assert that the external databases hold the rows of their fixtures as they were dumped, and no others."""
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
        for (alias, model), keys in expected.items():
            found = model._base_manager.using(alias).values_list("pk", flat=True)
            self.assertEqual(set(found), keys, f"{model._meta.label} in {alias}")

    def spoil(self) -> None:
        """Add, change and delete rows in every external database."""
        for alias, model in {(alias, model) for alias, model, _ in seeded()}:
            instance = model._base_manager.using(alias).earliest("pk")
            instance.pk = None
            instance.save(using=alias, force_insert=True)
        for alias in {alias for alias, *_ in seeded()}:
            for model in models_of(role_of_alias(alias)):
                model._base_manager.using(alias).all().delete()

    def test_a_test_sees_the_rows_and_may_spoil_them(self):
        self.assert_seeded()
        self.spoil()

    def test_the_next_test_sees_them_again(self):
        self.assert_seeded()
        self.spoil()


class TestCaseTests(SeededCase, TestCase):
    """Rows come back by rollback."""


class TransactionTestCaseTests(SeededCase, TransactionTestCase):
    def after(self, command: str) -> None:
        """Assert that the rows are there after a command, and that the next ones get keys of their own."""
        for alias in {alias for alias, *_ in seeded()}:
            call_command(command, database=alias, interactive=False, verbosity=0)
        self.assert_seeded()
        self.spoil()

    def test_after_a_flush_rows_are_back_and_new_ones_get_new_keys(self):
        self.after("flush")

    def test_a_kept_database_that_was_left_spoilt_is_mended(self):
        self.spoil()
        self.after("migrate")


class SecondTransactionTestCaseTests(TransactionTestCaseTests):
    """The same again, after the other class has flushed the databases."""


class SeedMigrationTests(SimpleTestCase):
    def test_it_refuses_every_database_but_a_test_database(self):
        migration = import_module("seeds.migrations.0001_seed")
        editor = mock.Mock(**{"connection.alias": "upstream"})
        with self.assertRaisesMessage(RuntimeError, "Seeds are for test databases, and 'upstream' is none."):
            migration.seed(apps, editor)

    def test_production_does_not_install_the_seeds(self):
        self.assertNotIn("seeds", production.own_settings()["INSTALLED_APPS"])


MODELS = """
from django.db import models

class Book(models.Model):
    database_role = "{role}"
    headline = models.CharField(max_length=50)
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
TESTS = """
from django.test import TransactionTestCase
from pinned.models import Book as Pinned
from unpinned.models import Book as Unpinned

class FirstTests(TransactionTestCase):
    databases = ["{alias}"]

    def test_the_rows_have_their_new_names(self):
        for model in (Pinned, Unpinned):
            self.assertEqual(model._base_manager.using("{alias}").get().headline, "Phlebas")
            model._base_manager.using("{alias}").all().delete()

class SecondTests(FirstTests):
    pass
"""


class LaterSchemaTests(SimpleTestCase):
    def test_a_seed_follows_the_last_migration_or_stays_with_the_one_that_it_is_pinned_to(self):
        alias = next(alias for alias in connections if is_foreign(alias))
        role = role_of_alias(alias)
        with TemporaryDirectory() as folder:
            project = production.copy_of_project(folder)
            for app in ("pinned", "unpinned"):
                migrations = project / app / "migrations"
                migrations.mkdir(parents=True)
                (migrations / "__init__.py").touch()
                (migrations / "0001_initial.py").write_text(CREATED)
                (migrations / "0002_headline.py").write_text(RENAMED.format(app=app))
                (project / app / "models.py").write_text(MODELS.format(role=role))
            (project / "pinned" / "tests.py").write_text(TESTS.format(alias=alias))
            with (project / "config" / "settings.py").open("a") as settings:
                settings.write("INSTALLED_APPS = [*INSTALLED_APPS, 'pinned', 'unpinned']\n")
            with (project / "seeds" / "migrations" / "0001_seed.py").open("a") as migration:
                others = '[each for each in Migration.dependencies if each[0] != "pinned"]'
                migration.write(f'Migration.dependencies = [*{others}, ("pinned", "0001_initial")]\n')
                migration.write('Migration.run_before = [("pinned", "0002_headline")]\n')
            fixture = project / "seeds" / "fixtures" / f"{role}.json"
            records = [
                *json.loads(fixture.read_text()),
                {"model": "pinned.book", "pk": 1, "fields": {"title": "Phlebas"}},
                {"model": "unpinned.book", "pk": 1, "fields": {"headline": "Phlebas"}},
            ]
            fixture.write_text(json.dumps(records))
            process = production.command("test", "pinned", project=project)
        self.assertIn("Ran 2 tests", process.stderr)
        self.assertEqual(process.returncode, 0, process.stderr)
