"""Limits the time of statements on a PostgreSQL mirror. `databases.mirror.settings` has the other time limits."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.foreign.mode import is_test_database
from databases.mirror.router import MIRROR

STATEMENT_TIMEOUT = "SET statement_timeout = '10s'"


def install() -> None:
    """Limit every new connection to the mirror, in any thread."""
    connection_created.connect(_limit, dispatch_uid="databases.mirror.timeouts")


def _limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias != MIRROR or connection.vendor != "postgresql" or is_test_database(MIRROR):
        return
    # `?options=-c%20statement_timeout=…` in the URL wins. This limit is not sent that way, because connection poolers
    # refuse startup options.
    if "statement_timeout" not in connection.settings_dict["OPTIONS"].get("options", ""):
        with connection.cursor() as cursor:
            cursor.execute(STATEMENT_TIMEOUT)
