"""Django's tasks (`django.tasks`) that run as the tenant under which they were enqueued, with every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.tasks import Task, TaskResult

from databases.tenants.context import CrossTenantError, NoTenantError, slug_or_none, use_tenant
from databases.tenants.leases import opened

#: The keyword argument of a stored task that names its tenant. The function does not get it.
ARGUMENT = "tenant"


class TenantTask(Task):
    """A task on tenants' rows: see `tenant_task`.

    Enqueuing and calling raise `NoTenantError` if no tenant is current. With `tenant=slug`, no tenant need be current;
    `CrossTenantError` if another one is.
    """

    def enqueue(self, *args: Any, **kwargs: Any) -> TaskResult:
        return super().enqueue(*args, **self._with_tenant(kwargs))

    async def aenqueue(self, *args: Any, **kwargs: Any) -> TaskResult:
        return await super().aenqueue(*args, **self._with_tenant(kwargs))

    def call(self, *args: Any, **kwargs: Any) -> Any:
        kwargs = self._with_tenant(kwargs)
        with use_tenant(kwargs.pop(ARGUMENT)):
            return super().call(*args, **kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        kwargs = self._with_tenant(kwargs)
        try:
            async with use_tenant(kwargs.pop(ARGUMENT)):
                return await super().acall(*args, **kwargs)
        finally:
            if slug_or_none() is None:
                # No request ends here, which would do so.
                await sync_to_async(opened.give_back)()

    def _with_tenant(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        slug = slug_or_none()
        named = kwargs.get(ARGUMENT, slug)
        if named is None:
            raise NoTenantError(
                f"{self.module_path} was enqueued without a tenant: enqueue it inside `with use_tenant(slug):`."
            )
        if slug not in (None, named):
            raise CrossTenantError(
                f"{self.module_path} was enqueued for the tenant {named!r} under {slug!r}: enqueue it inside "
                f"`with use_tenant({named!r}, switch=True):`."
            )
        return {**kwargs, ARGUMENT: named}


def tenant_task(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function a task of the tenant that is current when it is enqueued: `@tenant_task`, `@tenant_task(…)`.

    The options are those of Django's `task`.
    """

    def wrapper(function: Callable[..., Any]) -> TenantTask:
        return TenantTask(func=function, **options)

    return wrapper if function is None else wrapper(function)
