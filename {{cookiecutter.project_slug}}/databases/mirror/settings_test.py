"""The mirror's part of the settings of tests."""

from __future__ import annotations

import os
from typing import Any

from databases.environment import beside, from_url

#: The environment of tests in production: there is no database at this address.
ENVIRONMENT = {"MIRROR_DATABASE_URL": "sqlite:////nowhere/mirror.sqlite3"}
#: The apps of the mirror's own tests, and their role.
TEST_APPS = {f"databases.mirror.tests.{app}": "mirror" for app in ("people", "library", "vault")}


def configure(settings: dict[str, Any]) -> None:
    """Declare the test database that stands in for the mirror."""
    settings["DATABASES"]["mirror"] = from_url(
        os.environ.get("TEST_MIRROR_DATABASE_URL", ""),
        "TEST_MIRROR_DATABASE_URL",
        beside(settings["DATABASES"]["default"], "mirror"),
    )
