"""Notices writes to the primary, by the statements on its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.replicas.pinning import current_state

#: Any other statement counts as a write. A function that writes inside of a SELECT goes unnoticed: see the README.
READS = ("SELECT", "EXPLAIN", "SHOW", "SET", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


def install() -> None:
    """Watch every connection opened from now on."""
    connection_created.connect(_watch, dispatch_uid="databases.replicas.writes")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias == DEFAULT_DB_ALIAS and _notice_write not in connection.execute_wrappers:
        connection.execute_wrappers.append(_notice_write)


def _notice_write(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if str(sql).lstrip().upper().startswith(READS):
        return execute(sql, params, many, context)
    try:
        return execute(sql, params, many, context)
    finally:
        # After the statement, so that a position asked for from now on includes this write.
        current_state().note_write(context["connection"])
