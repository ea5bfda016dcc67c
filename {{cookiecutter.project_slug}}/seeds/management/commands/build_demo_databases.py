"""Builds and seeds the demo databases that development reads in place of other people's databases.

`make run` calls this command with the settings of the tests, because only a test process may write to such a database.
The project itself can read the demo databases, but not change their schema.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections
from django.db.models.signals import post_migrate

from databases.environment import beside
from databases.registry import is_foreign
from databases.testing.settings import LAYER


class Command(BaseCommand):
    help = "Build the demo databases that stand in for other people's databases during development."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        # Its receiver would replace the rows of an existing database by the seed.
        post_migrate.disconnect(dispatch_uid="databases.foreign.seeding")
        primary = connections["default"].settings_dict
        for label in settings.APP_DATABASES:
            if label.startswith(LAYER):
                # A demo does not need the apps of the layer's tests.
                settings.APP_DATABASES[label] = ""
        for alias in [alias for alias in connections if is_foreign(alias) and LAYER.rstrip("_") not in alias]:
            connection = connections[alias]
            connection.settings_dict["TEST"]["NAME"] = beside(primary, f"demo_{alias}")["NAME"]
            connection.creation.create_test_db(verbosity=0, keepdb=True)
            connection.close()
            self.stdout.write(f"Built the demo database of {alias}.")
