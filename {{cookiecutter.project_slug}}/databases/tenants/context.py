"""The current tenant. It is a context variable, so threads and tasks do not see each other's tenant."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

ALIAS_PREFIX = "tenant_"
SLUG = re.compile(r"[a-z][a-z0-9-]{0,40}")

#: The open blocks, outermost first. The tenant of the last one is the current tenant.
_open: ContextVar[tuple[use_tenant, ...]] = ContextVar("open_tenant_blocks", default=())


class NoTenantError(LookupError):
    """A query needs a tenant, and none is current."""


class UnknownTenantError(LookupError):
    """A tenant is not in the registry."""


class CrossTenantError(RuntimeError):
    """An object, queryset or connection of one tenant was used under another tenant, or under none."""


def current_tenant() -> str:
    """Return the slug of the current tenant. Raises `NoTenantError` without a current tenant."""
    slug = tenant_or_none()
    if slug is None:
        raise NoTenantError(
            "No tenant is current: wrap the code in `with use_tenant(slug):`. "
            "A new thread starts without a tenant: pass carry_tenant(function) to it."
        )
    return slug


def tenant_or_none() -> str | None:
    """Return the slug of the current tenant, or `None`."""
    blocks = _open.get()
    return blocks[-1].slug if blocks else None


def alias_of(slug: str) -> str:
    """Return the database alias of a tenant. Raises `ValueError` for an invalid slug."""
    if not SLUG.fullmatch(slug):
        raise ValueError(
            f"{slug!r} cannot be a tenant's slug: use a lower case letter, then at most 40 of a-z, 0-9 and hyphens."
        )
    return f"{ALIAS_PREFIX}{slug}"


class use_tenant:
    """Make a tenant the current one: `with use_tenant("acme"):`, or as a decorator, in sync and async code.

    Arguments: the tenant's slug, and `switch=True` if another tenant may be current; it is current again afterwards.
    Raises `ValueError` for an invalid slug, and `CrossTenantError` on entering inside another tenant without `switch`.
    Entering sends no query: the first query raises `UnknownTenantError` if the tenant does not exist.
    """

    def __init__(self, slug: str, *, switch: bool = False) -> None:
        alias_of(slug)
        self.slug = slug
        self.switch = switch

    def __enter__(self) -> str:
        if self in _open.get():
            raise RuntimeError("This use_tenant() is already in use: make a new one for every `with`.")
        if not self.switch and tenant_or_none() not in (None, self.slug):
            raise CrossTenantError(
                f"use_tenant({self.slug!r}) was entered under the tenant {tenant_or_none()!r}: leave that tenant "
                f"first, or write use_tenant({self.slug!r}, switch=True) if work on two tenants at once is intended."
            )
        _open.set((*_open.get(), self))
        return self.slug

    def __exit__(self, *exception: object) -> None:
        blocks = _open.get()
        if self not in blocks:
            # A generator was suspended inside this block, and an outer block has closed the block since.
            return
        _open.set(blocks[: blocks.index(self)])
        if blocks[-1] is not self and exception[0] is None:
            raise RuntimeError(
                f"use_tenant({blocks[-1].slug!r}) was entered inside use_tenant({self.slug!r}) and not left in time: "
                "do not yield inside it."
            )

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # Its body would run after the decorator has left the tenant.
            raise TypeError("use_tenant() cannot decorate a generator: put the `with` inside it.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with use_tenant(self.slug, switch=self.switch):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with use_tenant(self.slug, switch=self.switch):
                    return function(*args, **kwargs)

        return cast(Function, wrapper)
