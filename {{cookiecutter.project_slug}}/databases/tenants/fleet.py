"""The same work for many tenants: each reported, none stopping the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .handler import trim_connections
from .registry import Tenant, find

logger = logging.getLogger(__name__)


def choose(slugs: list[str]) -> list[Tenant]:
    """Return the tenants with these slugs, or all where none is named. Raises `UnknownTenantError`."""
    return [find(slug) for slug in slugs] if slugs else list(Tenant.objects.all())


def for_each(tenants: list[Tenant], work: Callable[[Tenant], object], report: Callable[[str], object]) -> list[str]:
    """Do the work for each tenant, one after the other, and return the slugs of those for which it failed.

    Arguments: the tenants, the work, and what takes a line of text: it gets one line per tenant. An error is logged
    with its traceback and does not stop the others.
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
        # Thousands of tenants must not mean thousands of open connections.
        trim_connections()
    return failed
