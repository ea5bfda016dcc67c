"""The two tenants that `databases/tenants/settings_test.py` declares, and what tests of tenants have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, Client

from databases.tenants import use_tenant
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint

FIRST = "layer-one"
SECOND = "layer-two"
FIRST_ALIAS = f"tenant_{FIRST}"
SECOND_ALIAS = f"tenant_{SECOND}"
DATABASES = {"default", FIRST_ALIAS, SECOND_ALIAS}


class HostAsyncClient(AsyncClient):
    """Sends the given host; Django's own client always sends `testserver` before it."""

    async def request(self, **request: Any) -> Any:
        return await super().request(**{**request, "headers": list(dict(request["headers"]).items())})


def responses(page: str, host: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each stack, sync and async, and its response."""
    headers = {"host": host}
    yield "sync", Client(raise_request_exception=False).get(page, headers=headers)
    yield "async", async_to_sync(HostAsyncClient(raise_request_exception=False).get)(page, headers=headers)


def register_both() -> None:
    """Put both tenants into the registry, which is read for every request to a tenant's host."""
    for slug in (FIRST, SECOND):
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}", status=Tenant.Status.ACTIVE)


def add_a_point_each() -> None:
    """Give the tenants different rows with the same key: `cake` and `orbit`."""
    for slug, name in ((FIRST, "cake"), (SECOND, "orbit")):
        with use_tenant(slug):
            DataPoint.objects.create(pk=1000, name=name, value=1)


def marker() -> str:
    """Return the name of the row that shows which tenant's database a query reaches."""
    return DataPoint.objects.get(pk=1000).name


def in_thread(work: Callable[[], Any]) -> Any:
    """Return what `work` returns in a new thread, or raise what it raises. The thread's connections are closed."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["result"] = work()
        except BaseException as error:
            outcome["error"] = error
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
