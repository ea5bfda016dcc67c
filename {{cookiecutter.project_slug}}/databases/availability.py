"""Tells an unavailable database from a mistake in a query, and which database an error came from."""

from __future__ import annotations

from traceback import walk_tb
from typing import Any

from django.db import OperationalError
from django.db.utils import DatabaseErrorWrapper

#: Prefixes of SQLSTATE: connection, resources, shutdown, query canceled (statement_timeout), lock not available
#: (lock_timeout), and a statement that a standby canceled to catch up. Source: PostgreSQL manual, appendix A.
POSTGRESQL = ("08", "53", "57P", "57014", "55P03", "40001")
#: Connection refused (too many connections, password, database name), shutdown, lock wait timeout, query killed,
#: query timeout. Sources: MySQL and MariaDB error reference.
MYSQL = {1040, 1044, 1045, 1049, 1129, 1130, 1203, 1226, 1053, 1205, 1317, 1927, 1969, 3024, 4031}
#: Messages, because Python 3.10 does not expose SQLite's error codes. Source: `sqlite3_errstr`.
SQLITE = ("unable to open database", "database is locked", "database table is locked", "disk I/O error")


def unavailable_database(error: BaseException) -> str | None:
    """Return the alias of the database that is unavailable, or `None` if the error has another cause."""
    is_unavailable = isinstance(error, OperationalError) and is_outage(error.__cause__)
    return alias_of(error) if is_unavailable else None


def alias_of(error: BaseException) -> str | None:
    """Return the alias of the database whose driver raised an error, or `None` if no driver did.

    Django's exceptions do not name the connection. Each driver error passes through the `DatabaseErrorWrapper` of its
    connection, so the traceback holds it, in any thread. A flag on the connection could come from another request.
    """
    for frame, _ in walk_tb(error.__traceback__):
        translator: Any = frame.f_locals.get("self")
        # Not isinstance(), which evaluates lazy objects such as `request.user`: it would query again.
        if type(translator) is DatabaseErrorWrapper:
            return str(translator.wrapper.alias)  # type: ignore[attr-defined]
    return None


def is_outage(cause: Any) -> bool:
    """Return whether a driver's `OperationalError` means that the database is unavailable."""
    if hasattr(cause, "sqlstate"):
        # psycopg sets no code where the server was not reached, or the connection broke.
        return cause.sqlstate is None or cause.sqlstate.startswith(POSTGRESQL)
    code = next(iter(getattr(cause, "args", ())), None)
    if isinstance(code, int):
        # 2000 to 2099: errors of MySQL's client library, which could not connect or lost the connection.
        return 2000 <= code < 2100 or code in MYSQL
    return str(cause).startswith(SQLITE)
