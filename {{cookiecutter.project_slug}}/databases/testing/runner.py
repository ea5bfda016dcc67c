"""The `TEST_RUNNER` of the project's own settings. It refuses to run, because they declare production's databases."""

from typing import Any

from django.core.management.base import CommandError

HOW = (
    "Tests run with settings_test.py only: start them with `python manage.py test` or `pytest`, "
    "without --settings, --ds or DJANGO_SETTINGS_MODULE."
)


class RefusingRunner:
    """A test runner that raises `CommandError` before it touches a database."""

    def __init__(self, **options: Any) -> None:
        raise CommandError(HOW)
