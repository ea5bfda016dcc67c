"""The secondary's part of the settings of tests. `databases/testing/settings.py` declares its test database."""

from typing import Any

ENVIRONMENT: dict[str, str] = {}
#: The app of the secondary's own tests, and its role.
TEST_APPS = {"databases.secondary.tests.diary": "secondary"}


def configure(settings: dict[str, Any]) -> None:
    """Change nothing: it is one of `OWN_DATABASES`."""
