"""Keeps every session on the mirror from writing: `.using()`, raw cursors and other writes that routers never see.

There are two guards: only statements that read are sent, and the session itself is read-only. Deliberate code that can
run any SQL can bypass both. The boundary against it is a database user that may only SELECT; the README shows how to
create one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.foreign.mode import is_test_database
from databases.mirror.errors import MirrorWriteError
from databases.mirror.router import MIRROR
from databases.mirror.statements import only_reads, summary
from databases.read_only import READ_ONLY, is_refusal, make_read_only


def install() -> None:
    """Guard every new connection to the mirror, in any thread."""
    # A signal, because an execute wrapper belongs to one connection object, which belongs to one thread.
    connection_created.connect(_guard, dispatch_uid="databases.mirror.guard")


def _guard(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias != MIRROR or is_test_database(MIRROR):
        return
    if connection.vendor not in READ_ONLY:
        raise ImproperlyConfigured(
            f"The mirror cannot be guarded on {connection.vendor}: read-only sessions of this engine are not supported."
        )
    if _refuse_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_writes)
    make_read_only(connection)


def _refuse_writes(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    # psycopg has SQL objects, and `str()` of one is not its SQL.
    text = sql.as_string(context["connection"].connection) if hasattr(sql, "as_string") else str(sql)
    if not only_reads(text):
        raise _refusal("it accepts only statements that read", text)
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        if is_refusal(error.__cause__):
            raise _refusal("its session is read-only", text) from error
        raise


def _refusal(reason: str, sql: str) -> MirrorWriteError:
    return MirrorWriteError(
        f"Refused on {MIRROR!r}, because {reason}: {summary(sql)} … "
        "That database belongs to another application: write it there."
    )
