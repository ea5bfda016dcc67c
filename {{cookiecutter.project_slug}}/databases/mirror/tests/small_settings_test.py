"""Settings of the tests of the project of `small_settings`. Databases are in memory, and `seeds` has the fixtures."""

from databases.environment import sqlite
from databases.foreign.fixtures import roles_of_seeds
from databases.mirror.tests.small_settings import *  # noqa: F403

DATABASES = {
    alias: {**sqlite(BASE_DIR / f"{alias}.sqlite3"), "TEST": {"DEPENDENCIES": []}}  # noqa: F405
    for alias in DATABASES  # noqa: F405
}
TEST_RUNNER = "django.test.runner.DiscoverRunner"
INSTALLED_APPS += ["seeds"]  # noqa: F405
APP_DATABASES["seeds"] = roles_of_seeds(BASE_DIR / "seeds" / "fixtures", APP_DATABASES)  # noqa: F405
