"""Settings of the tests, which `manage.py test` and pytest select. They hold no production server except the primary's.

`TEST_DATABASE_URL` and its siblings name the servers for tests. Without them, tests use the primary's server, where
Django creates databases whose names start with `test_`.
"""

import os

# Set before the imports below read them. Tests need no secrets, and use the defaults of development.
os.environ["SECRET_KEY"] = "for tests only"  # noqa: S105
os.environ["DEBUG"] = "on"

from .env import env  # noqa: E402

os.environ["DATABASE_URL"] = env.str("TEST_DATABASE_URL", default=env.str("DATABASE_URL", default=""))

# % if cookiecutter.__foreign
from databases.foreign.fixtures import roles_of_seeds  # noqa: E402
# % endif
from databases.testing.settings import configure  # noqa: E402
# % if cookiecutter.__foreign
from seeds import FIXTURES  # noqa: E402
# % endif

from .settings import *  # noqa: E402, F403

DEBUG = False
ALLOWED_HOSTS = [".testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DETECT_UNCOVERED_WRITES = True
# % if cookiecutter.__foreign
# Rows for the test databases that stand in for other people's, in the roles that have a fixture and apps.
INSTALLED_APPS += ["seeds"]  # noqa: F405
APP_DATABASES["seeds"] = roles_of_seeds(FIXTURES, APP_DATABASES)  # noqa: F405
# % endif

# The test databases of each role, and the apps that the layer's own tests work on.
configure(globals())
