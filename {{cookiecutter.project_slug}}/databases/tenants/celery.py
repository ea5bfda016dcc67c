"""Celery tasks that run as the tenant they were sent under. Nothing else here needs Celery: see the README."""

from __future__ import annotations

from typing import Any

from celery import Task

from .context import CrossTenantError, NoTenantError, tenant_or_none, use_tenant

HEADER = "tenant"


class TenantTask(Task):
    """The base of tasks on tenants' rows: `@shared_task(base=TenantTask)`.

    Its messages carry the tenant in a header. Sending one raises `NoTenantError` where no tenant is current, and so
    does running one that came without; a header that names another tenant than the current one is a `CrossTenantError`.
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
        # The next task of a chain is sent by the worker, after the one before it has left its tenant.
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
