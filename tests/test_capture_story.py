"""`capture_seeds` on another application's PostgreSQL database, and a PostgreSQL test database built from its seeds."""

import json
import runpy
from collections.abc import Callable, Iterator

from tests.conftest import Baker
from tests.support import settings
from tests.support.environments import Environment
from tests.support.postgres import Postgres
from tests.support.variants import DJANGO

INSTALL = """
INSTALLED_APPS += ["corner_shop"]
APP_DATABASES["corner_shop"] = "mirror"
"""


def test_seeds_captured_from_postgresql_hold_no_secrets_and_build_there(
    bake: Baker, environment: Callable[[str], Environment], postgres: Postgres, database_names: Iterator[str]
) -> None:
    project = bake(secondary_database="read-only-mirror", primary_database="postgresql", django_version=DJANGO or "6.1")
    tools = environment(project.answers["django_version"])
    shop = runpy.run_path(str(project.path / "databases/mirror/tests/shop.py"))
    (project.path / "corner_shop/migrations").mkdir(parents=True)
    project.write("corner_shop/migrations/__init__.py", "")
    project.write("corner_shop/models.py", shop["MODELS"])
    project.write("corner_shop/tests.py", shop["TESTS"])
    project.write("config/settings.py", project.read("config/settings.py") + INSTALL)
    upstream = postgres.create(next(database_names))
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "MIRROR_DATABASE_URL": upstream,
        "DATABASE_URL": upstream,
    }
    project.run(tools, "python", "-c", "import django; django.setup()\n" + shop["UPSTREAM"], env=production)
    project.run(tools, "python", "manage.py", "capture_seeds", "corner_shop.Order", "--overwrite", env=production)
    captured = project.read("seeds/fixtures/mirror.json")
    assert len(json.loads(captured)) == 4
    assert "hidden" not in captured
    tests = {"TEST_DATABASE_URL": postgres.url(next(database_names))}
    made = ("python", "manage.py", "makemigrations", "corner_shop", "--settings=config.settings_test")
    project.run(tools, *made, env=tests)
    output = project.run(tools, "python", "manage.py", "test", "corner_shop", env=tests)
    assert "Ran 2 tests" in output
