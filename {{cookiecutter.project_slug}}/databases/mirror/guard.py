"""Keeps every session on the mirror from writing: for `.using()`, raw cursors and all else that routers never see.

Twice: a statement that does not read is not sent, and the session itself is read-only. Neither is the boundary, for
code that can run any SQL finds a way around both. The boundary is a database user that may only SELECT; the README
shows how to make one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..read_only import READ_ONLY, is_refusal, make_read_only
from ..testing.mode import is_test_database
from .errors import MirrorWriteError
from .router import MIRROR
from .statements import only_reads, summary


def install() -> None:
    """Guard every connection to the mirror made from now on, in whatever thread."""
    # An execute wrapper alone would sit on one connection object, which is one thread's.
    connection_created.connect(_guard, dispatch_uid="databases.mirror.guard")


def _guard(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias != MIRROR or is_test_database(MIRROR):
        return
    if connection.vendor not in READ_ONLY:
        raise ImproperlyConfigured(
            f"The mirror cannot be guarded on {connection.vendor}: no read-only session is known."
        )
    if _refuse_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_writes)
    make_read_only(connection)


def _refuse_writes(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    # psycopg has objects that stand for SQL, whose `str` is not the SQL.
    text = sql.as_string(context["connection"].connection) if hasattr(sql, "as_string") else str(sql)
    if not only_reads(text):
        raise _refusal("only statements that read are sent there", text)
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        if is_refusal(error.__cause__):
            raise _refusal("its session is read-only", text) from error
        raise


def _refusal(reason: str, sql: str) -> MirrorWriteError:
    return MirrorWriteError(
        f"Refused on {MIRROR!r}, because {reason}: {summary(sql)} … "
        "That database belongs to another application; write it there."
    )
