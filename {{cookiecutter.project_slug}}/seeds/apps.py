"""The app of the seeds. Only the settings of the tests install it."""

from django.apps import AppConfig, apps

from databases.foreign import fixtures, seeding

from . import FIXTURES


class SeedsConfig(AppConfig):
    name = "seeds"

    def ready(self) -> None:
        # Restores the seeded rows after a test that flushes its databases.
        seeding.install()
        fixtures.check_installed(FIXTURES, set(apps.app_configs))
