"""Read-only database sessions on every engine.

Code that can run any SQL can turn this off. A real boundary is a database user that may only SELECT.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

#: Sources: PostgreSQL manual, chapter 19.11; MariaDB knowledge base, SET TRANSACTION; SQLite, PRAGMA query_only.
READ_ONLY = {
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


def make_read_only(connection: BaseDatabaseWrapper) -> None:
    """Make the session of a new connection read-only. If that fails, closes it and raises Django's database errors."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(READ_ONLY[connection.vendor])
    except Exception:
        # Otherwise Django would keep using the session, which can still write.
        connection.close()
        raise


def is_refusal(cause: BaseException | None) -> bool:
    """Return whether a driver's error means "read-only": PostgreSQL 25006, MySQL 1792, SQLite SQLITE_READONLY."""
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    return code in ("25006", 1792) or "readonly database" in str(cause)
