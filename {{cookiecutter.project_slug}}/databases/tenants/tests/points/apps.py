from django.apps import AppConfig


class PointsConfig(AppConfig):
    name = "databases.tenants.tests.points"
    label = "layer_points"
    default_auto_field = "django.db.models.BigAutoField"
