"""Work for other threads, which start without a tenant, and for later, when another one may be current."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from .context import current_tenant, use_tenant


def carry_tenant(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, made to run under the tenant that is current now: `pool.submit(carry_tenant(work))`.

    A thread's own connections are closed after it. Raises `NoTenantError` where no tenant is current, and `TypeError`
    for coroutine functions and generators, whose bodies run later still; tasks take their tenant along without help.
    """
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError("carry_tenant() is for plain functions: a task keeps the tenant that it was created under.")
    slug, home = current_tenant(), threading.get_ident()

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            with use_tenant(slug, switch=True):
                return function(*args, **kwargs)
        finally:
            if threading.get_ident() != home:
                # No request ends in this thread, and so nothing else would close them.
                connections.close_all()

    return wrapper
