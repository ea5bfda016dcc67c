"""Settings of the tests, chosen by `manage.py test` and by pytest. No production server but the primary's is in here.

`TEST_DATABASE_URL` and its siblings name the servers to test on; without them tests run on the primary's server, where
Django makes databases of their own whose names start with `test_`.
"""

import os

# % if cookiecutter.__registry
from databases import connections
from databases.testing.names import test_database_name

# % endif
from .env import env

# Set before the import below reads them: tests need no secrets, and take development's defaults.
os.environ["SECRET_KEY"] = "for tests only"  # noqa: S105
os.environ["DEBUG"] = "on"
os.environ["DATABASE_URL"] = env.str("TEST_DATABASE_URL", default=env.str("DATABASE_URL", default=""))

from .settings import *  # noqa: E402, F403
from .settings import DATABASES as PRODUCTION  # noqa: E402

DEBUG = False
ALLOWED_HOSTS = [".testserver"]
# % if cookiecutter.__tenants
TEST_RUNNER = "databases.testing.cloning.CloningRunner"
# % else
TEST_RUNNER = "django.test.runner.DiscoverRunner"
# % endif
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# % if cookiecutter.__registry
DETECT_UNCOVERED_WRITES = True
# % endif
# % if cookiecutter.__external
INSTALLED_APPS = [*INSTALLED_APPS, "seeds"]  # noqa: F405
# % endif

DATABASES = {"default": {**PRODUCTION["default"]}}
# % if cookiecutter.__mirror
DATABASES["mirror"] = connections.from_url(
    env.str("TEST_MIRROR_DATABASE_URL", default=""),
    "TEST_MIRROR_DATABASE_URL",
    connections.beside(DATABASES["default"], "mirror"),
)
# % endif
# % if cookiecutter.__tenants
# Tests declare their tenants here, so that Django makes, migrates and clones their databases like any other.
SITE_DOMAIN = "testserver"
TENANT_SERVERS = {
    "default": connections.from_url(
        env.str("TEST_TENANT_DATABASE_URL", default=""),
        "TEST_TENANT_DATABASE_URL",
        connections.beside(DATABASES["default"], "{name}"),
    )
}
TENANT_CACHE_SECONDS = 0
TENANT_PASSWORD_KEYS = ["b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U="]
for slug in ("aperture-science-labs", "vavatch-corp-campus"):
    name = TENANT_SERVERS["default"]["NAME"].replace("{name}", slug)
    DATABASES[f"tenant_{slug}"] = {**TENANT_SERVERS["default"], "NAME": name}
# % endif
# % if cookiecutter.__registry
for alias, database in DATABASES.items():
    if alias != "default" and database["ENGINE"] == connections.SQLITE:
        # Commands that look at every database, as makemigrations does, would leave an empty file for each.
        database["NAME"] = ":memory:"
    # Without DEPENDENCIES a test that names only one of these would wait for `default`, which it does not make.
    database["TEST"] = {"NAME": test_database_name(alias, PRODUCTION["default"], database), "DEPENDENCIES": []}
# % endif
# % if cookiecutter.__replica
# A copy, because Django changes it: both then read the test database of the primary.
DATABASES["replica"] = {**PRODUCTION["default"], "TEST": {"MIRROR": "default"}}
# % endif
