"""The core of the layer: system checks and the detector of uncovered writes. Each role is a separate app."""

from django.apps import AppConfig


class DatabasesConfig(AppConfig):
    name = "databases"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from databases import checks, lock_timeout, registry, transactions

        transactions.install()
        lock_timeout.install()
        checks.install()
        # Last: a model that could end up in the wrong database stops every start.
        registry.check()
