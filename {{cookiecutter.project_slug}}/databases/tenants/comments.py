"""Adds the tenant to every statement on its database, as a comment for the server's logs and activity views.

The format is sqlcommenter's: https://google.github.io/sqlcommenter/spec/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.tenants.context import ALIAS_PREFIX
from databases.tenants.registry import slug_of


def install() -> None:
    """Add comments to the statements of every new connection to a tenant, in all threads."""
    connection_created.connect(_mark, dispatch_uid="databases.tenants.comments")


def marked(sql: Any, slug: str, connection: Any) -> Any:
    """Return a statement with its tenant in a comment at its end, which is added once.

    Arguments: the statement (text, bytes or an SQL object of psycopg), the tenant's slug, and the driver's connection.
    """
    if hasattr(sql, "as_string"):
        # An SQL object of psycopg: its `str` is not the SQL.
        sql = sql.as_string(connection)
    # A slug has no character that must be encoded, or that could end the comment.
    comment = f"/*tenant='{slug}'*/"
    if isinstance(sql, bytes):
        return marked(sql.decode(), slug, connection).encode()
    if not isinstance(sql, str) or sql.endswith(comment):
        return sql
    # A comment after a final semicolon would be a second, empty statement.
    return f"{sql.rstrip().removesuffix(';')} {comment}"


def _mark(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias.startswith(ALIAS_PREFIX) and _add_tenant not in connection.execute_wrappers:
        connection.execute_wrappers.append(_add_tenant)


def _add_tenant(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    return execute(marked(sql, slug_of(connection.alias), connection.connection), params, many, context)
