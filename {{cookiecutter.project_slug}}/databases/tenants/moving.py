"""Tenants that are moving to another server are read, and not written: what was written would stay behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..read_only import is_refusal, make_read_only
from .lookup import TenantUnavailableError


class TenantMovingError(TenantUnavailableError):
    """A write to the database of a tenant that is moving to another server."""


def install() -> None:
    """Look after every connection to a tenant made from now on, in whatever thread."""
    connection_created.connect(_guard, dispatch_uid="databases.tenants.moving")


def _guard(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    tenant = getattr(connection, "tenant", None)
    if tenant is None or not tenant.is_read_only:
        return
    if _explain not in connection.execute_wrappers:
        connection.execute_wrappers.append(_explain)
    make_read_only(connection)


def _explain(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        if not is_refusal(error.__cause__):
            raise
        raise TenantMovingError(
            f"Nothing is written to {context['connection'].alias!r} now, because the tenant is moving to another "
            "server: try again when it has moved."
        ) from error
