"""Fails a write that a transaction only seems to cover: one on database A inside `atomic()` on database B alone.

On in development and tests (`DETECT_UNCOVERED_WRITES`). It looks at statements, so `.using()` and raw cursors are seen
too. Not seen: `get_or_create` and `update_or_create`, whose own inner transaction looks like one that you opened. The
other way round, a block of yours with `savepoint=False` looks like one of Django's and covers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.transaction import TransactionManagementError

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE")
#: The admin changes a row of any database in a transaction there, and notes it in this table of the primary.
ADMIN_LOG = "django_admin_log"


def install() -> None:
    """Watch every connection made from now on."""
    connection_created.connect(_watch, dispatch_uid="databases.uncovered")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if settings.DETECT_UNCOVERED_WRITES and _refuse_uncovered not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_uncovered)


def _refuse_uncovered(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    if _is_write(str(sql)) and not _opened_by_caller(connection):
        for other in connections.all(initialized_only=True):
            if other.alias != connection.alias and _opened_by_caller(other):
                raise TransactionManagementError(
                    f"A write to {connection.alias!r} inside atomic() on {other.alias!r} would survive its rollback. "
                    f"Open the transaction with atomic_for(Model) or atomic(using={connection.alias!r})."
                )
    return execute(sql, params, many, context)


def _is_write(sql: str) -> bool:
    return sql.lstrip().upper().startswith(WRITES) and ADMIN_LOG not in sql


def _opened_by_caller(connection: BaseDatabaseWrapper) -> bool:
    # Django's own inner blocks have no savepoint, and those around a TestCase cover every database of the test.
    blocks: list[Any] = connection.atomic_blocks
    return any(block.savepoint and not block._from_testcase for block in blocks)
