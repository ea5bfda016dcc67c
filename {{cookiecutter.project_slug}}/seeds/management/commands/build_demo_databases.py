"""Builds and seeds what development reads in place of other people's databases.

`make run` calls it with the settings of the tests, whose machinery builds it just as it builds a test database: only
such a process may write there. The project itself then finds a database that it can read and not change.
"""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from databases.connections import beside
from databases.roles import is_foreign


class Command(BaseCommand):
    help = "Build the demo databases that stand in for external ones during development."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        primary = connections["default"].settings_dict
        for alias in [alias for alias in connections if is_foreign(alias)]:
            connection = connections[alias]
            connection.settings_dict["TEST"]["NAME"] = beside(primary, f"demo_{alias}")["NAME"]
            connection.creation.create_test_db(verbosity=0, keepdb=True)
            connection.close()
            self.stdout.write(f"Built the demo database of {alias}.")
