"""`capture_seeds` on another application's PostgreSQL database, and a PostgreSQL test database built from its seeds."""

import json
import re
from collections.abc import Callable, Iterator

from tests.conftest import Baker
from tests.support import settings
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.variants import DJANGO

#: Production with the app of secrets that the layer's own tests have.
SETTINGS = """
from config.settings import *
INSTALLED_APPS += ["databases.mirror.tests.vault"]
APP_DATABASES["layer_vault"] = "mirror"
"""
#: The other application creates its tables and rows, through an alias without a guard.
UPSTREAM = """
import django
django.setup()
from django.apps import apps
from django.db import connections
from databases.mirror.tests.vault.case import fill
with connections["default"].schema_editor() as editor:
    for model in apps.get_app_config("layer_vault").get_models():
        if not model._meta.proxy:
            editor.create_model(model)
fill("default")
"""
TESTS = """
from django.test import TransactionTestCase
from databases.mirror.tests.vault.models import Company, Customer, Line, Login, Tag

class CapturedTests(TransactionTestCase):
    databases = ["mirror"]

    def test_the_captured_rows_are_there(self):
        first = Customer.objects.get(pk=1)
        self.assertEqual((Customer.objects.count(), first.tags.count(), first.changed.year), (4, 2, 1987))
        self.assertEqual([each.pk for each in first.friends.all()], [Company.objects.get().pk])
        self.assertEqual(Login.objects.get().email, first)
        self.assertEqual(Line.objects.get().order.company.pk, 4)
        self.assertGreater(Tag.objects.create(name="x").pk, 2)

    def test_they_are_there_again(self):
        self.assertEqual(Tag.objects.count(), 2)
"""


def test_seeds_captured_from_postgresql_hold_no_secrets_and_build_there(
    bake: Baker, environment: Callable[[str], Environment], postgres: Postgres, database_names: Iterator[str]
) -> None:
    project = bake(secondary_database="read-only-mirror", primary_database="postgresql", django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    project.write("config/settings_of_story.py", SETTINGS)
    project.write("tests/test_captured.py", TESTS)
    upstream = postgres.create(next(database_names))
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings_of_story",
        "SECRET_KEY": settings.SECRET_KEY,
        "MIRROR_DATABASE_URL": upstream,
        "DATABASE_URL": postgres.create(next(database_names)),
    }
    project.run(tools, "python", "-c", UPSTREAM, env={**production, "DATABASE_URL": upstream})
    said = project.run(tools, "python", "manage.py", "capture_seeds", "layer_vault", "--overwrite", env=production)
    assert "layer_vault.Customer: 4 rows; made up: name, email," in said
    captured = project.read("seeds/fixtures/mirror.json")
    assert len(json.loads(captured)) == 15
    assert not re.search("ottilie|quimby|iguana|aubergine|ring a bell|4929", captured + said, re.IGNORECASE)
    tests = {"TEST_DATABASE_URL": postgres.url(next(database_names))}
    made = ("python", "manage.py", "makemigrations", "layer_vault", "--settings=config.settings_test")
    project.run(tools, *made, env=tests)
    output = project.run(tools, "python", "manage.py", "test", "tests.test_captured", env=tests)
    assert "Ran 2 tests" in output
