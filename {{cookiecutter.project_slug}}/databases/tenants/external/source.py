"""A tenant's database, as the place that models are copied from."""

from __future__ import annotations

from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from databases.foreign.source import Source
from databases.tenants.models import Tenant, TenantModel


class TenantSource(Source):
    """The database of a tenant, which someone else made."""

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """The current thread's connection. Raises `LookupError` that names a missing file."""
        connection = super().connection
        name = str(connection.settings_dict["NAME"])
        if connection.vendor == "sqlite" and not name.startswith("file:") and not Path(name).exists():
            # SQLite's own message does not say which file.
            raise LookupError(
                f"The database of {self.alias!r} is missing: there is no file {name}. Ask its owner, or correct its "
                "row in the registry."
            )
        return connection


def source_of(tenant: Tenant) -> TenantSource:
    """Return the database of a tenant."""
    return TenantSource(tenant.alias, TenantModel, tenant.slug, "import_tenant_models")
