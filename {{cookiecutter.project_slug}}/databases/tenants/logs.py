"""Adds the current tenant to log records."""

import logging

from databases.tenants.context import tenant_or_none


class TenantFilter(logging.Filter):
    """Adds `record.tenant`: the slug of the current tenant, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = tenant_or_none() or "-"
        return True
