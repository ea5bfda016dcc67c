"""Carries the current tenant to work in other threads, to work that runs later, and into log records."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from databases.tenants.context import NoTenantError, current_tenant, slug_or_none, use_tenant


def carry_tenant(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs under the tenant that is current now: `pool.submit(carry_tenant(work))`.

    In another thread, the thread's connections are closed afterwards. Raises `NoTenantError` if no tenant is current,
    and `TypeError` for coroutine functions and generators, whose bodies run later; tasks keep their tenant anyway.
    """
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            "carry_tenant() is for plain functions: leave it out. A task keeps the tenant that it was created under."
        )
    slug, home = current_tenant().slug, threading.get_ident()

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            with use_tenant(slug, switch=True):
                return function(*args, **kwargs)
        finally:
            if threading.get_ident() != home:
                # No request ends in this thread, so nothing else closes its connections.
                connections.close_all()

    return wrapper


class TenantFilter(logging.Filter):
    """Adds `record.tenant`: the slug of the current tenant, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs the status of a response after the middleware, with its request.
        tenant = getattr(getattr(record, "request", None), "tenant", None)
        try:
            slug = slug_or_none()
        except NoTenantError:
            # While a template is built.
            slug = None
        record.tenant = slug or getattr(tenant, "slug", "-")
        return True
