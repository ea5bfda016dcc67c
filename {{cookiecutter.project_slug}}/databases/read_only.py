"""Sessions that only read, on every engine: how to make one, and how to tell that it has refused something.

Code that can run any SQL can end this again. A boundary is what the server lets a user do.
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
    """Keep the session of a new connection from writing. Raises Django's database errors, the connection closed."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(READ_ONLY[connection.vendor])
    except Exception:
        # Django would go on with the session, open as it is.
        connection.close()
        raise


def is_refusal(cause: BaseException | None) -> bool:
    """Return whether a driver's error says "read-only": PostgreSQL 25006, MySQL 1792, SQLite SQLITE_READONLY."""
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    return code in ("25006", 1792) or "readonly database" in str(cause)
