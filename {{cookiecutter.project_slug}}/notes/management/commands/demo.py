"""`manage.py demo`: adds the rows of the demo that are missing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from notes.demo import parts


class Command(BaseCommand):
    help = "Add the rows of the demo that are missing, in development. Other rows stay as they are."

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo is for development: DEBUG is off, so nothing was changed.")
        for part in parts():
            self.stdout.write(part.build())
