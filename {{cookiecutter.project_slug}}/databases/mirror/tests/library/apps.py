from django.apps import AppConfig

from databases.foreign import seeding


class LibraryConfig(AppConfig):
    name = "databases.mirror.tests.library"
    label = "layer_library"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        seeding.install()
