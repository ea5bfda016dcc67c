"""Says in every statement on a tenant's database whose it is, for the logs and the activity views of servers.

As sqlcommenter does: https://google.github.io/sqlcommenter/spec/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .context import ALIAS_PREFIX
from .registry import slug_of


def install() -> None:
    """Mark the statements of every connection to a tenant made from now on, in whatever thread."""
    connection_created.connect(_mark, dispatch_uid="databases.tenants.comments")


def marked(sql: Any, slug: str, connection: Any) -> Any:
    """Return a statement with its tenant in a comment at its end, where it has none yet.

    Arguments: the statement, as text, bytes or an object of psycopg's, the tenant's slug, and the driver's connection.
    """
    if hasattr(sql, "as_string"):
        # psycopg has objects that stand for SQL, whose `str` is not the SQL.
        sql = sql.as_string(connection)
    # A slug holds nothing that would have to be encoded, or that could end the comment.
    comment = f"/*tenant='{slug}'*/"
    if isinstance(sql, bytes):
        return marked(sql.decode(), slug, connection).encode()
    if not isinstance(sql, str) or sql.endswith(comment):
        return sql
    # What follows a final semicolon is another statement, for servers that take several an empty one.
    return f"{sql.rstrip().removesuffix(';')} {comment}"


def _mark(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias.startswith(ALIAS_PREFIX) and _add_tenant not in connection.execute_wrappers:
        connection.execute_wrappers.append(_add_tenant)


def _add_tenant(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    return execute(marked(sql, slug_of(connection.alias), connection.connection), params, many, context)
