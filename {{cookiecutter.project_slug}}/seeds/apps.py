"""The app of the seeds. Installed by the settings of the tests only: production never sees it."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from . import roles, seeded_apps


class SeedsConfig(AppConfig):
    name = "seeds"
    #: It has no models that could say so: its one migration runs where there is a fixture of that role.
    database_roles = roles()

    def ready(self) -> None:
        for role in roles():
            # Django sends this signal for apps with models only; one of the seeded apps speaks for all of its role.
            for label in seeded_apps(role)[:1]:
                post_migrate.connect(keep_or_restore, sender=apps.get_app_config(label))


def keep_or_restore(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Keep the seeded rows once they are migrated; put them back after a flush, and into a kept database."""
    from databases.external import models_of, roles_of
    from databases.roles import role_of_alias
    from databases.testing import seeding
    from databases.testing.mode import is_test_database

    role = role_of_alias(using)
    if role not in roles_of(sender.label) or not is_test_database(using):
        return
    if kwargs.get("plan"):
        seeding.keep_copies(using, models_of(role))
    else:
        seeding.restore_copies(using, models_of(role))
