from django.apps import AppConfig


class DiaryConfig(AppConfig):
    name = "databases.secondary.tests.diary"
    label = "layer_diary"
    default_auto_field = "django.db.models.BigAutoField"
