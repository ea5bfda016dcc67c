"""What the fleet adds to the settings of tests."""

from typing import Any

#: The environment of tests that read the project's own settings: no server is at this address.
ENVIRONMENT = {"TENANT_DATABASE_URL": "postgresql://x@127.0.0.1:9/{name}", "TENANT_SERVERS": ""}
TEST_APPS: dict[str, str] = {}


def configure(settings: dict[str, Any]) -> None:
    """Name no server: tests have others."""
    settings["TENANT_ROOM"] = {}
