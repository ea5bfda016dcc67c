"""The replicas' part of the settings of tests."""

from typing import Any

#: The environment for tests of production's settings: an address where no server is.
ENVIRONMENT = {"REPLICA_DATABASE_URLS": "sqlite:////nowhere/replica.sqlite3"}
TEST_APPS: dict[str, str] = {}


def configure(settings: dict[str, Any]) -> None:
    """Declare one replica, which reads the test database of the primary."""
    # A copy, because Django changes each entry.
    settings["DATABASES"]["replica"] = {**settings["DATABASES"]["default"], "TEST": {"MIRROR": "default"}}
