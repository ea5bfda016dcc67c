"""Celery tasks that run as the tenant under which they were sent. No other module needs Celery."""

from __future__ import annotations

from typing import Any

from celery import Task

from databases.tenants.context import CrossTenantError, NoTenantError, tenant_or_none, use_tenant

HEADER = "tenant"


class TenantTask(Task):
    """The base class of tasks on tenants' rows: `@shared_task(base=TenantTask)`.

    Messages carry the tenant in a header. Sending raises `NoTenantError` if no tenant is current, and
    `CrossTenantError` if the header names another tenant. Running a message without the header raises `NoTenantError`.
    """

    abstract = True

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        options["headers"] = self._with_tenant(options.get("headers"))
        return super().apply_async(args, kwargs, *more, **options)

    def apply(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        options["headers"] = self._with_tenant(options.get("headers"))
        return super().apply(args, kwargs, *more, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        slug = _tenant_of(self)
        if slug is None:
            raise NoTenantError(f"{self.name} was sent without a tenant: send it inside `with use_tenant(slug):`.")
        with use_tenant(slug):
            return super().__call__(*args, **kwargs)

    def _with_tenant(self, headers: dict[str, Any] | None) -> dict[str, Any]:
        # The worker sends the next task of a chain after the previous task has left its tenant.
        slug = tenant_or_none() or _tenant_of(self.app.current_worker_task)
        named = (headers or {}).get(HEADER, slug)
        if named is None:
            raise NoTenantError(f"{self.name} was sent without a tenant: send it inside `with use_tenant(slug):`.")
        if slug not in (None, named):
            raise CrossTenantError(f"{self.name} was sent for the tenant {named!r} under the tenant {slug!r}.")
        return {**(headers or {}), HEADER: named}


def _tenant_of(task: Task | None) -> str | None:
    """Return the tenant in the headers of the message that a task runs for."""
    return task and (task.request.headers or {}).get(HEADER)
