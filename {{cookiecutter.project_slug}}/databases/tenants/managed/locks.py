"""Locks on a tenant or on work with all tenants, in the session of this thread on the primary database."""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.db import connection

from databases.locks import lock
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError


def tenant_lock(tenant: Tenant) -> AbstractContextManager[None]:
    """Within the block, this process has the lock of the tenant. Raises `TenantError` if another process has it."""
    return named_lock(
        f"tenant {tenant.uid.hex}",
        f"Another process works on the tenant {tenant.slug!r}: wait until it ends, and try again.",
    )


def named_lock(name: str, busy: str) -> AbstractContextManager[None]:
    """Within the block, this process of the project has the lock. Raises `TenantError` if another process has it.

    Arguments: the name of the lock, and the message of the error.
    """
    return lock(connection, name, TenantError(busy))
