from django.apps import AppConfig


class NotebookConfig(AppConfig):
    name = "databases.tests.notebook"
    label = "layer_notebook"
    default_auto_field = "django.db.models.BigAutoField"
