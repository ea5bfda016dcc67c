"""Makes every session on the mirror read-only: for `.using()`, raw cursors and all else that routers never see.

A guard, not the boundary: SQL that asks for it can turn a session writable again. The boundary is a database user that
may only SELECT; the README shows how to make one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..testing.mode import is_test_database
from .errors import MirrorWriteError
from .router import MIRROR

#: Sources: PostgreSQL manual, chapter 19.11; MariaDB knowledge base, SET TRANSACTION; SQLite, PRAGMA query_only.
READ_ONLY = {
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


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
    with connection.cursor() as cursor:
        cursor.execute(READ_ONLY[connection.vendor])
    if _explain not in connection.execute_wrappers:
        connection.execute_wrappers.append(_explain)


def _explain(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        if _is_refusal(error.__cause__):
            # The first words, up to the first bracket or quote: the rest may hold what should not be in a log.
            statement = " ".join(re.split(r"[^\w\s.\"`]", str(sql))[0].split()[:3])
            raise MirrorWriteError(
                f"The session on {MIRROR!r} is read-only and refused: {statement} … "
                "That database belongs to another application; write it there."
            ) from error
        raise


def _is_refusal(cause: BaseException | None) -> bool:
    """Return whether a driver's error says "read-only": PostgreSQL 25006, MySQL 1792, SQLite SQLITE_READONLY."""
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    return code in ("25006", 1792) or "readonly database" in str(cause)
