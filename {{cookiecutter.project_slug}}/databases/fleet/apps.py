"""The fleet: tenants on many servers, moved, archived, and each with its own database user. PostgreSQL only."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "databases.fleet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from databases.fleet import prepared, states, write_block

        states.install()
        prepared.install()
        write_block.install()
