from django.apps import AppConfig

from databases.foreign import seeding


class ReadingsConfig(AppConfig):
    name = "databases.tenants.external.tests.readings"
    label = "layer_readings"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        seeding.install()
