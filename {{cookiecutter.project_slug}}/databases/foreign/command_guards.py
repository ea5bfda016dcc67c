"""Refuses the commands that would change a database whose schema belongs to someone else.

Sessions and database users are what protects such a database. This stops a command before it sends anything.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db.models.signals import pre_migrate

from databases.foreign.mode import is_test_database
from databases.registry import is_foreign


def install() -> None:
    """Refuse `migrate` from now on, however it is started."""
    # A signal, not a command that overrides Django's: it also works beside a package with a `migrate` of its own.
    # Without it Django creates `django_migrations` in any database it is pointed at, whatever the routers say.
    pre_migrate.connect(_refuse_migrate, dispatch_uid="databases.foreign.command_guards")


def refuse(alias: str, command: str) -> None:
    """Raise `CommandError` where `command` would change a foreign database that is not a test database."""
    if is_foreign(alias) and not is_test_database(alias):
        raise CommandError(
            f"{command} on {alias!r} is refused: another application owns that database. Change it in that "
            "application. The test run builds its test database."
        )


def _refuse_migrate(using: str, **kwargs: Any) -> None:
    refuse(using, "migrate")
