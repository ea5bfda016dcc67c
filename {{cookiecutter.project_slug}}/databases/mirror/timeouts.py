"""Ends statements on a PostgreSQL mirror that take too long; `databases.connections` has the other limits of time."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..testing.mode import is_test_database
from .router import MIRROR

STATEMENT = "SET statement_timeout = '10s'"


def install() -> None:
    """Limit every connection to the mirror made from now on, in whatever thread."""
    connection_created.connect(_limit, dispatch_uid="databases.mirror.timeouts")


def _limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias != MIRROR or connection.vendor != "postgresql" or is_test_database(MIRROR):
        return
    # `?options=-c%20statement_timeout=…` in the URL wins. Ours is not sent that way: poolers refuse such connections.
    if "statement_timeout" not in connection.settings_dict["OPTIONS"].get("options", ""):
        with connection.cursor() as cursor:
            cursor.execute(STATEMENT)
