"""The two tenants that `config/settings_test.py` declares, and what tests of tenants have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.test import AsyncClient

from databases.models import Tenant
from databases.tenants import use_tenant
from projects.models import DataPoint

APERTURE = "aperture-science-labs"
VAVATCH = "vavatch-corp-campus"
APERTURE_ALIAS = f"tenant_{APERTURE}"
VAVATCH_ALIAS = f"tenant_{VAVATCH}"
ALL_DATABASES = {"default", APERTURE_ALIAS, VAVATCH_ALIAS}


class HostAsyncClient(AsyncClient):
    """Sends the host that it is given; Django's own always sends `testserver` before it."""

    async def request(self, **request: Any) -> Any:
        return await super().request(**{**request, "headers": list(dict(request["headers"]).items())})


def register_both() -> None:
    """Put both into the registry, which is asked for every request to a tenant's host."""
    for slug in (APERTURE, VAVATCH):
        Tenant.objects.create(slug=slug, database=f"tenant_{slug}", status=Tenant.Status.ACTIVE)


def add_a_point_each() -> None:
    """Give each tenant one row that the other has not: `cake` and `orbit`, of the same key."""
    for slug, name in ((APERTURE, "cake"), (VAVATCH, "orbit")):
        with use_tenant(slug):
            DataPoint.objects.create(pk=1000, name=name, value=1)


def marker() -> str:
    """Return the name of the row that tells whose database the current tenant's queries reach."""
    return DataPoint.objects.get(pk=1000).name


def in_thread(work: Callable[[], Any]) -> Any:
    """Return what `work` returns in a thread of its own, or raise what it raises; its connections are closed."""
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
