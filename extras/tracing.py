"""OpenTelemetry spans: one for each statement, with its alias, role and tenant, and never with its text or values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.apps import AppConfig, apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from databases.registry import role_of_alias

tracer = trace.get_tracer("databases")


class TracingConfig(AppConfig):
    """Stands last in `INSTALLED_APPS`."""

    name = "databases.tracing"

    def ready(self) -> None:
        """Trace every connection opened from now on."""
        connection_created.connect(_watch, dispatch_uid="databases.tracing")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if _trace not in connection.execute_wrappers:
        connection.execute_wrappers.append(_trace)


def _trace(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    alias, role = context["connection"].alias, role_of(context["connection"].alias)
    attributes = {
        "db.system.name": context["connection"].vendor,
        "database.alias": alias,
        "database.role": role,
        "tenant": alias.removeprefix("tenant_") if role == "tenant" else current_tenant(),
    }
    # Not as a context manager, which would record the message of an error: it quotes values and addresses.
    span = tracer.start_span(f"query {role}", kind=SpanKind.CLIENT, attributes=attributes)
    try:
        return execute(sql, params, many, context)
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()


@functools.lru_cache(maxsize=1000)
def role_of(alias: str) -> str:
    """Return the role of a database, or `?` if no router serves it."""
    try:
        return role_of_alias(alias)
    except LookupError:
        return "?"


def current_tenant() -> str:
    """Return the slug of the current tenant, or an empty text."""
    try:
        if apps.is_installed("databases.tenants"):
            return import_module("databases.tenants.context").slug_or_none() or ""
    except LookupError:
        # While a template of tenants is built.
        pass
    return ""
