"""The current tenant. It is a context variable, so threads and tasks do not see each other's tenant."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.db import DatabaseError

if TYPE_CHECKING:
    from databases.tenants.registry import TenantInfo

Function = TypeVar("Function", bound=Callable[..., Any])

ALIAS_PREFIX = "tenant_"
SLUG = re.compile(r"[a-z][a-z0-9-]{0,40}")

#: Current while the template is built from which databases of tenants are copied. Who asks for it gets an error.
TEMPLATE_TENANT: Any = object()
#: The open blocks, outermost first. The tenant of the last one is the current tenant.
_open: ContextVar[tuple[tenant_block, ...]] = ContextVar("open_tenant_blocks", default=())


class NoTenantError(LookupError):
    """A query needs a tenant, and none is current."""


class TemplateTenantError(NoTenantError):
    """A migration asks for the current tenant, so the databases of tenants cannot be copies of one template."""


class UnknownTenantError(LookupError):
    """A tenant is not in the registry."""


class TenantUnavailableError(DatabaseError):
    """A tenant is temporarily unavailable: its pages answer 503."""


class CrossTenantError(RuntimeError):
    """An object, queryset or connection of one tenant was used under another tenant, or under none."""


def current_tenant() -> TenantInfo:
    """Return the current tenant, a row of the registry that cannot be changed. Raises `NoTenantError` without one."""
    tenant = tenant_or_none()
    if tenant is None:
        raise NoTenantError(
            "No tenant is current: wrap the code in `with use_tenant(slug):`. "
            "A new thread starts without a tenant: pass carry_tenant(function) to it."
        )
    return tenant


def tenant_or_none() -> TenantInfo | None:
    """Return the current tenant, or `None`."""
    blocks = _open.get()
    tenant = blocks[-1].tenant if blocks else None
    if tenant is TEMPLATE_TENANT:
        raise TemplateTenantError("A migration asks for the tenant, and the template of all tenants has none.")
    return tenant


def slug_or_none() -> str | None:
    """Return the slug of the current tenant, or `None`."""
    tenant = tenant_or_none()
    return None if tenant is None else tenant.slug


def alias_of(slug: str) -> str:
    """Return the database alias of a tenant. Raises `ValueError` for an invalid slug."""
    if not SLUG.fullmatch(slug):
        raise ValueError(
            f"{slug!r} cannot be a tenant's slug: use a lower case letter, then at most 40 of a-z, 0-9 and hyphens."
        )
    return f"{ALIAS_PREFIX}{slug}"


class tenant_block:
    """Within the block this tenant is current, or none if it is `None`, whatever was current before."""

    def __init__(self, tenant: TenantInfo | None) -> None:
        self.tenant = tenant

    def __enter__(self) -> TenantInfo | None:
        _open.set((*_open.get(), self))
        return self.tenant

    def __exit__(self, *exception: object) -> None:
        blocks = _open.get()
        if self not in blocks:
            # A generator was suspended inside this block, and an outer block has closed the block since.
            return
        _open.set(blocks[: blocks.index(self)])
        if blocks[-1] is not self and exception[0] is None:
            raise RuntimeError(
                f"A block for the tenant {blocks[-1].tenant} was entered inside one for {self.tenant} and not left in "
                "time, so what ran between used the wrong tenant: do not yield inside it."
            )


class use_tenant:
    """Make a tenant the current one: `with use_tenant("acme"):`, `async with`, or as a decorator of either.

    Arguments: the tenant's slug, and `switch=True` if another tenant may be current; it is current again afterwards.
    Raises `ValueError` for an invalid slug. Entering raises `UnknownTenantError`, `TenantUnavailableError` if the
    registry cannot be asked, and `CrossTenantError` inside another tenant without `switch`. In an event loop a plain
    `with` waits for the registry if this process has not met the tenant yet; `async with` waits elsewhere.
    """

    def __init__(self, slug: str, *, switch: bool = False) -> None:
        alias_of(slug)
        self.slug = slug
        self.switch = switch
        self._block: tenant_block | None = None

    def __enter__(self) -> TenantInfo:
        from databases.tenants.registry_cache import cache

        return self._enter(cache.by_slug)

    def __exit__(self, *exception: object) -> None:
        from databases.tenants.leases import opened

        block, self._block = self._block, None
        if block is not None:
            block.__exit__(*exception)
        if tenant_or_none() is None:
            # Commands and threads of a program's own end no request, which would give these back.
            opened.give_back()

    async def __aenter__(self) -> TenantInfo:
        from asgiref.sync import sync_to_async

        from databases.tenants.registry_cache import cache

        tenant = await sync_to_async(cache.by_slug)(self.slug)
        return self._enter(lambda slug: tenant)

    async def __aexit__(self, *exception: object) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(*exception)

    def _enter(self, find: Callable[[str], TenantInfo]) -> TenantInfo:
        if self._block is not None:
            raise RuntimeError("This use_tenant() is already in use: make a new one for every `with`.")
        before = tenant_or_none()
        if not self.switch and before is not None and before.slug != self.slug:
            raise CrossTenantError(
                f"use_tenant({self.slug!r}) was entered under the tenant {before.slug!r}: leave that tenant first, or "
                f"write use_tenant({self.slug!r}, switch=True) if work on two tenants at once is intended."
            )
        tenant = find(self.slug)
        self._block = tenant_block(tenant)
        self._block.__enter__()
        return tenant

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # Its body would run after the decorator has left the tenant.
            raise TypeError("use_tenant() cannot decorate a generator: put the `with` inside it.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                async with use_tenant(self.slug, switch=self.switch):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with use_tenant(self.slug, switch=self.switch):
                    return function(*args, **kwargs)

        return cast(Function, wrapper)
