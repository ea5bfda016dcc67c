"""Refuses the commands that would change a database whose schema belongs to someone else.

Sessions and roles are the wall; this is the sign in front of it: nothing has been sent when the command stops.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db.models.signals import pre_migrate

from .roles import is_foreign
from .testing.mode import is_test_database


def install() -> None:
    """Refuse `migrate` from now on, however it was started."""
    # A signal, not a command of our own: it holds beside packages that bring a `migrate` of theirs. Django would
    # otherwise make `django_migrations` on whatever database it is pointed at, routers or not.
    pre_migrate.connect(_refuse_migrate, dispatch_uid="databases.refusal")


def refuse(alias: str, command: str) -> None:
    """Raise `CommandError` where `command` would change a database of someone else that is no test database."""
    if is_foreign(alias) and not is_test_database(alias):
        raise CommandError(
            f"{command} on {alias!r} is refused: another application owns that database. "
            "Change it there; its test database is built by the test run."
        )


def _refuse_migrate(using: str, **kwargs: Any) -> None:
    refuse(using, "migrate")
