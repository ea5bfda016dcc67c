"""The app that puts the pieces in place when Django starts. It asks no database anything."""

from django.apps import AppConfig


class DatabasesConfig(AppConfig):
    name = "databases"
    default_auto_field = "django.db.models.BigAutoField"
    # % if cookiecutter.__registry or cookiecutter.__replica

    def ready(self) -> None:
        # % if cookiecutter.__external
        from . import refusal
        from .testing import mode

        # First: the names must be remembered before any test machinery can replace them.
        mode.remember_configured_names()
        refusal.install()
        # % endif
        # % if cookiecutter.__tenants
        from .tenants import handler

        handler.install()
        # % endif
        # % if cookiecutter.__managed_tenants
        from .tenants import identity, moving

        identity.install()
        moving.install()
        # % endif
        # % if cookiecutter.__mirror
        from .mirror import checks as mirror_checks
        from .mirror import guard, timeouts

        guard.install()
        mirror_checks.install()
        timeouts.install()
        # % endif
        # % if cookiecutter.__replica
        from .replica import writes

        writes.install()
        # % endif
        # % if cookiecutter.__registry
        from . import checks, external, uncovered

        uncovered.install()
        checks.install()
        external.load()
        # % endif
    # % endif
