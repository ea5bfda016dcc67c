"""Settings of a small project with a mirror, for tests that write its sources and run it in production.

The current directory is the project. It has the layer, the mirror's test apps, and the apps in its file `apps.txt`.
"""

import os
from pathlib import Path

from databases.environment import from_url
from databases.mirror.settings import mirror_database
from databases.testing.settings import add_test_apps

BASE_DIR = Path.cwd()
SECRET_KEY = "for tests only"  # noqa: S105
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_APPS, DATABASE_MIDDLEWARE = ["databases", "databases.foreign", "databases.mirror"], []
APPS = (BASE_DIR / "apps.txt").read_text(encoding="utf-8").split()
INSTALLED_APPS = [*DATABASE_APPS, "django.contrib.contenttypes", "django.contrib.auth", *APPS]
DATABASES = {
    "default": from_url(os.environ["DATABASE_URL"], "DATABASE_URL"),
    "mirror": mirror_database(os.environ["MIRROR_DATABASE_URL"], None),
}
DATABASE_ROUTERS = ["databases.mirror.router.MirrorRouter", "databases.own.OwnRouter"]
OWN_DATABASES = ["default"]
APP_DATABASES = dict.fromkeys(APPS, "mirror")
DETECT_UNCOVERED_WRITES = True
MIRROR_SEED_COLUMNS: dict[str, str] = {}
TEST_RUNNER = "databases.testing.runner.RefusingRunner"

add_test_apps(globals())
