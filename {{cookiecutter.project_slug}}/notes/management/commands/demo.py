"""`manage.py demo`: adds the rows of the demo that are missing."""

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import module_has_submodule


class Command(BaseCommand):
    help = "Add the rows of the demo that are missing, in development. Other rows stay as they are."

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo is for development: DEBUG is off, so nothing was changed.")
        for config in apps.get_app_configs():
            if getattr(config, "is_example", False) and module_has_submodule(config.module, "demo"):
                self.stdout.write(import_module(f"{config.name}.demo").build())
