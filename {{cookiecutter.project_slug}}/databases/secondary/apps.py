"""The secondary needs nothing at the start: this app is here for its tests, and for what you add."""

from django.apps import AppConfig


class SecondaryConfig(AppConfig):
    name = "databases.secondary"
