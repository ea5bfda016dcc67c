"""Whose error it was, and whether it tells of an outage: a database that is away, not a mistake in a query."""

from __future__ import annotations

from traceback import walk_tb
from typing import Any

from django.db import OperationalError
from django.db.utils import DatabaseErrorWrapper

#: Beginnings of SQLSTATE: connection, resources, shutdown, cancelled (by the limit of time), no lock in time, and a
#: statement that a standby cancelled to keep up. Source: PostgreSQL manual, appendix A.
POSTGRESQL = ("08", "53", "57P", "57014", "55P03", "40001")
#: Not let in (too many connections, password, name), shutdown, no lock in time, killed, out of time.
#: Sources: MySQL and MariaDB error reference.
MYSQL = {1040, 1044, 1045, 1049, 1129, 1130, 1203, 1226, 1053, 1205, 1317, 1927, 1969, 3024, 4031}
#: Texts, because Python 3.10 does not tell SQLite's codes. Source: `sqlite3_errstr`.
SQLITE = ("unable to open database", "database is locked", "database table is locked", "disk I/O error")


def database_that_is_away(error: BaseException) -> str | None:
    """Return the alias of the database that an error says could not be asked, or `None` for any other error."""
    away = isinstance(error, OperationalError) and is_outage(error.__cause__)
    return alias_of(error) if away else None


def alias_of(error: BaseException) -> str | None:
    """Return the alias of the database whose driver raised an error, or `None` if no driver did.

    Django does not say. But what a driver raises comes through the wrapper that belongs to its connection, so the
    traceback knows, in whatever thread that was; flags on connections may be another request's.
    """
    for frame, _ in walk_tb(error.__traceback__):
        translator: Any = frame.f_locals.get("self")
        if isinstance(translator, DatabaseErrorWrapper):
            return str(translator.wrapper.alias)  # type: ignore[attr-defined]
    return None


def is_outage(cause: Any) -> bool:
    """Return whether a driver's `OperationalError` says that the database could not be asked."""
    if hasattr(cause, "sqlstate"):
        # psycopg has no code for what never reached a server, or never came back from it.
        return cause.sqlstate is None or cause.sqlstate.startswith(POSTGRESQL)
    code = next(iter(getattr(cause, "args", ())), None)
    if isinstance(code, int):
        # From 2000 on: MySQL's client library, with the same meaning.
        return 2000 <= code < 2100 or code in MYSQL
    return str(cause).startswith(SQLITE)
