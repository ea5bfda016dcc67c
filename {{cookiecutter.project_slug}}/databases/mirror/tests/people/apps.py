from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "databases.mirror.tests.people"
    label = "layer_people"
    default_auto_field = "django.db.models.BigAutoField"
