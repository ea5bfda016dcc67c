"""The tenants: their registry, and connections that are opened on demand."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings

if TYPE_CHECKING:
    from databases.migrating import Result


class TenantsConfig(AppConfig):
    name = "databases.tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from databases.tenants import handler

        handler.install()
        import_module(settings.TENANT_PROVISIONING).install()

    def migrate_databases(self, *, pending_only: bool) -> Iterator[Result]:
        """Migrate each tenant's database, and yield its result."""
        provisioning = import_module(settings.TENANT_PROVISIONING)
        yield from provisioning.migrate_databases(pending_only=pending_only)

    def dynamic_aliases(self) -> list[str]:
        """Return the aliases of all tenants that have a database. Raises Django's database errors."""
        from databases.tenants.registry import Tenant

        return [tenant.alias for tenant in Tenant.objects.all() if not tenant.state.is_closed]
