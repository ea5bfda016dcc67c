"""Test mode, decided by fact: an alias is a test database if Django's test machinery has replaced its name.

Neither a flag nor `sys.argv` counts: a process with every test flag in its environment keeps its configured names.
"""

from __future__ import annotations

from django.db import connections

_configured: dict[str, str] = {}


def remember_configured_names() -> None:
    """Record the database name that the settings give each alias. Called when Django starts."""
    for alias, config in connections.settings.items():
        # Keep the first name: a test that overrides INSTALLED_APPS starts the apps again, with test names in place.
        _configured.setdefault(alias, str(config["NAME"]))


def is_test_database(alias: str) -> bool:
    """Return whether the alias points, at this moment, at a database that the test machinery created."""
    if alias not in _configured:
        return False
    current = str(connections.settings[alias]["NAME"])
    # A TEST NAME that is the configured name of any other alias is not a test database.
    return current not in _configured.values()
