"""Work for many tenants: each is reported, and a failure does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable

from databases.tenants.handler import release_connections
from databases.tenants.registry import Tenant, find

logger = logging.getLogger(__name__)


def select_tenants(slugs: list[str]) -> list[Tenant]:
    """Return the tenants with these slugs, or all tenants for an empty list. Raises `UnknownTenantError`."""
    return [find(slug) for slug in slugs] if slugs else list(Tenant.objects.all())


def for_each(tenants: list[Tenant], work: Callable[[Tenant], object], report: Callable[[str], object]) -> list[str]:
    """Do the work for one tenant after the other, and return the slugs of the tenants for which it failed.

    Arguments: the tenants, the work, and a function that takes a line of text: it is called once per tenant. Errors are
    logged with their traceback, at level DEBUG.
    """
    failed = []
    for number, tenant in enumerate(tenants, start=1):
        try:
            work(tenant)
        except Exception as error:
            logger.debug("Work for the tenant %s failed", tenant.slug, exc_info=True)
            failed.append(tenant.slug)
            outcome = f"failed: {error}"
        else:
            outcome = "done"
        report(f"[{number}/{len(tenants)}] {tenant.slug}: {outcome}")
        # Else a run over thousands of tenants would open thousands of connections.
        release_connections()
    return failed
