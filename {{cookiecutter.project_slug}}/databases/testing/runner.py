"""The `TEST_RUNNER` of the project's own settings: it refuses, because those settings hold production's databases."""

from typing import Any

from django.core.management.base import CommandError

HOW = (
    "Tests run with config.settings_test only: start them with `python manage.py test` or `pytest`, "
    "without --settings, --ds or DJANGO_SETTINGS_MODULE."
)


class RefusingRunner:
    """Stands where Django expects a test runner. Raises `CommandError` before a database is touched."""

    def __init__(self, **options: Any) -> None:
        raise CommandError(HOW)
