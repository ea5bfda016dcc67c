"""Notices writes, by the statements on connections, and refuses to save what may be outdated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model
from django.db.models.signals import pre_save

from databases.replicas.reading import note_write
from databases.replicas.watch import is_replica
from databases.statements import only_reads, text_of


class StaleInstanceError(DatabaseError):
    """An object that was read from a replica would have been saved. Its columns may be older than the primary's."""


def install() -> None:
    """Watch every connection opened from now on, and every `save()`."""
    connection_created.connect(_watch, dispatch_uid="databases.replicas.writes")
    pre_save.connect(_refuse_stale, dispatch_uid="databases.replicas.writes")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if not is_replica(connection.alias) and _notice_write not in connection.execute_wrappers:
        connection.execute_wrappers.append(_notice_write)


def _notice_write(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if only_reads(text_of(sql)):
        return execute(sql, params, many, context)
    try:
        return execute(sql, params, many, context)
    finally:
        # After the statement, so that a position asked for from now on includes this write.
        note_write(context["connection"].alias)


def _refuse_stale(instance: Model, raw: bool, **kwargs: Any) -> None:
    # A new object may have been made of an old one.
    if is_replica(instance._state.db) and not (raw or instance._state.adding or instance.pk is None):
        raise StaleInstanceError(
            f"This {instance._meta.label} was read from {instance._state.db!r}, which may lack newer changes, and "
            "save() would undo them. Read it in use_primary(), call refresh_from_db() there first, or change columns "
            "with QuerySet.update()."
        )
