"""Settings of a small project with one foreign database, for tests that write its sources.

The current directory is the project. Its apps `pinned` and `unpinned` live in the foreign database, and its app `seeds`
has the fixtures.
"""

from pathlib import Path

from databases.environment import sqlite
from databases.foreign.fixtures import roles_of_seeds

BASE_DIR = Path.cwd()
SECRET_KEY = "for tests only"  # noqa: S105
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_APPS, DATABASE_MIDDLEWARE = ["databases", "databases.foreign"], []
INSTALLED_APPS = [*DATABASE_APPS, "pinned", "unpinned", "seeds"]
DATABASES = {"default": sqlite(BASE_DIR / "primary.sqlite3"), "partner": sqlite(BASE_DIR / "partner.sqlite3")}
DATABASE_ROUTERS = ["databases.foreign.tests.partner.PartnerRouter", "databases.own.OwnRouter"]
OWN_DATABASES = ["default"]
APP_DATABASES = {"pinned": "partner", "unpinned": "partner"}
APP_DATABASES["seeds"] = roles_of_seeds(BASE_DIR / "seeds" / "fixtures", APP_DATABASES)
DETECT_UNCOVERED_WRITES = True
