"""Makes a tenant read-only while it moves to another server: rows written meanwhile would be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.read_only import is_refusal, make_read_only
from databases.tenants.registry_cache import TenantUnavailableError


class TenantReadOnlyError(TenantUnavailableError):
    """A write to the database of a tenant that is moving to another server."""


def install() -> None:
    """Make every new connection to a moving tenant read-only, in every thread."""
    connection_created.connect(_guard, dispatch_uid="databases.fleet.write_block")


def _guard(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    tenant = getattr(connection, "tenant", None)
    if tenant is None or not tenant.state.is_read_only:
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
        raise TenantReadOnlyError(
            f"{context['connection'].alias!r} is read-only while the tenant moves to another server: try again later."
        ) from error
