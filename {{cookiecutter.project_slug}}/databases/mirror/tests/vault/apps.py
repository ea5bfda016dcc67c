from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "databases.mirror.tests.vault"
    label = "layer_vault"
    default_auto_field = "django.db.models.BigAutoField"
