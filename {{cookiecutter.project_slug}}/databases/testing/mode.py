"""Test mode, answered by fact: an alias is a test database when Django's test machinery has replaced its name.

No flag and no `sys.argv`: a process with every test flag set in its environment still has its configured names.
"""

from __future__ import annotations

from django.db import connections

_configured: dict[str, str] = {}


def remember_configured_names() -> None:
    """Note the database name of every alias as the settings have it. Called when Django starts."""
    for alias, config in connections.settings.items():
        # The first name stays: tests that change INSTALLED_APPS start the apps again, when the names are replaced.
        _configured.setdefault(alias, str(config["NAME"]))


def is_test_database(alias: str) -> bool:
    """Return whether the alias points, now, at a database that the test machinery made."""
    if alias not in _configured:
        return False
    current = str(connections.settings[alias]["NAME"])
    # Not that of another alias either: a TEST NAME equal to some configured name is no test database.
    return current not in _configured.values()
