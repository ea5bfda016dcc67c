"""Plays the other application in development: its user writes to the demo database that stands in for its own."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from databases.environment import address_of, beside

from .models import Member

NAME = "Test subject"


def database() -> dict[str, Any] | None:
    """Return the settings of the demo database, or `None` if the mirror is another one or `DEBUG` is off."""
    demo = beside(connections.settings["default"], "demo_mirror")
    is_demo = settings.DEBUG and address_of(connections.settings["mirror"]) == address_of(demo)
    return demo if is_demo else None


def connect() -> BaseDatabaseWrapper:
    """Return a connection of the other application's own, which has no guard.

    Raises `PermissionDenied` if it would reach another database than that of the demo.
    """
    demo = database()
    if demo is None:
        raise PermissionDenied("Only the demo database is written, and only while DEBUG is on.")
    return ConnectionHandler({"default": {}, "other_application": demo})["other_application"]


def add_member() -> None:
    """Add a member as the other application would."""
    number = Member.objects.filter(name__startswith=NAME).count() + 1
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_member (organisation_id, name, joined) "
            "SELECT MIN(id), %s, %s FROM accounts_organisation",
            [f"{NAME} {number}", date.today()],
        )


def build() -> str:
    """Remove the members that `add_member` has added."""
    if database() is None:
        return "mirror: it is not the database of the demo, so it stays as it is"
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_member WHERE name LIKE %s", [f"{NAME} %"])
    return f"mirror: {Member.objects.count()} members"
