"""Celery tasks that run as the tenant under which they were sent. No other module needs Celery."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from celery import Task, current_app, signature
from celery.app.task import Context
from celery.signals import before_task_publish

from databases.tenants.context import CrossTenantError, NoTenantError, slug_or_none, use_tenant

HEADER = "tenant"
#: The methods that Celery calls before and after the body of a task.
HANDLERS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


class TenantTask(Task):
    """The base class of tasks on tenants' rows: `@shared_task(base=TenantTask)`.

    Messages carry the tenant in a header. Sending raises `NoTenantError` if no tenant is current, and
    `CrossTenantError` if the header names another tenant. Running a message without the header raises `NoTenantError`.
    Handlers such as `on_failure`, and errbacks, run as the tenant of their message.
    """

    abstract = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in HANDLERS:
            handler = getattr(cls, name)
            if handler is not getattr(Task, name):
                # Celery calls it outside of the body.
                setattr(cls, name, _as_tenant(handler))

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        options["headers"] = self._with_tenant(options.get("headers"))
        return super().apply_async(args, kwargs, *more, **options)

    def apply(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        options["headers"] = self._with_tenant(options.get("headers"))
        return super().apply(args, kwargs, *more, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        is_message = not self.request.called_directly
        # A call by your own code runs as the current tenant. Celery calls errbacks, with the request that has failed.
        slug = None if slug_or_none() and not is_message else _tenant_of_message(*args[:1])
        if slug is None and is_message:
            raise self._no_tenant()
        with use_tenant(slug, switch=True) if slug else nullcontext():
            return super().__call__(*args, **kwargs)

    def _with_tenant(self, headers: dict[str, Any] | None) -> dict[str, Any]:
        # The worker sends the next task of a chain after the previous task has left its tenant.
        slug = slug_or_none() or _tenant_of_message()
        named = (headers or {}).get(HEADER, slug)
        if named is None:
            raise self._no_tenant()
        if slug not in (None, named):
            raise CrossTenantError(
                f"{self.name} was sent for the tenant {named!r} under the tenant {slug!r}: send it inside "
                f"`with use_tenant({named!r}, switch=True):`."
            )
        return {**(headers or {}), HEADER: named}

    def _no_tenant(self) -> NoTenantError:
        return NoTenantError(f"{self.name} was sent without a tenant: send it inside `with use_tenant(slug):`.")


def _as_tenant(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler of a task that runs as the tenant of the task's message, if that has one."""

    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        slug = _tenant_of_message()
        with use_tenant(slug, switch=True) if slug else nullcontext():
            return handler(*args, **kwargs)

    return wrapper


def _tenant_of_message(failed: object = None) -> str | None:
    """Return the tenant in the headers of a request that has failed, or of the message that this thread works on."""
    task = current_app.current_worker_task
    request = failed if isinstance(failed, Context) else task and task.request
    return request and (request.headers or {}).get(HEADER)


@before_task_publish.connect
def _carry_tenant(headers: dict[str, Any], body: Any, **kwargs: Any) -> None:
    """Let messages of other tasks carry the tenant too, so that a chain or chord through them does not lose it."""
    slug = headers.get(HEADER) or slug_or_none() or _tenant_of_message()
    if slug is None:
        return
    headers[HEADER] = slug
    errbacks = [signature(each, app=current_app) for each in body[2]["errbacks"] or ()]
    for each in errbacks:
        # The worker's main process sends them if a child was killed. It has no current task.
        each.set(headers={HEADER: slug, **(each.options.get("headers") or {})})
    body[2]["errbacks"] = errbacks
