"""The tenants: their registry, and connections that are opened on demand."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.conf import settings

from databases.picture import Box
from databases.serving import limits_of

if TYPE_CHECKING:
    from django.http import HttpRequest

    from databases.migrating import Result


class TenantsConfig(AppConfig):
    name = "databases.tenants"
    default_auto_field = "django.db.models.BigAutoField"
    #: Whether this is a web process.
    is_serving = False

    def ready(self) -> None:
        from databases.tenants import checks, registry_cache

        registry_cache.install()
        checks.install()
        import_module(settings.TENANT_PROVISIONING).install()

    def migrate_databases(self, *, pending_only: bool) -> Iterator[Result]:
        """Migrate each tenant's database, and yield its result."""
        provisioning = import_module(settings.TENANT_PROVISIONING)
        yield from provisioning.migrate_databases(pending_only=pending_only)

    def fit_connections(self) -> None:
        """Limit how long requests wait for tenants' servers. Their connections are in a pool of the tenants' own."""
        self.is_serving = True
        for server in settings.TENANT_SERVERS.values():
            self.fit(server)

    def fit(self, server: dict[str, Any]) -> None:
        """Limit how long requests wait for a server: change its settings in place."""
        limits = {} if "assume_role" in server.get("OPTIONS", {}) else limits_of(server)
        if limits.pop("pool", None):
            server["CONNECTION_CLASS"] = "databases.postgresql_pool.LimitedConnection"
        server["OPTIONS"] = {**limits, **server.get("OPTIONS", {})}

    def dynamic_aliases(self) -> list[str]:
        """Return the aliases of all tenants that have a database. Raises Django's database errors."""
        from databases.tenants.registry import Tenant

        return [tenant.alias for tenant in Tenant.objects.all() if not tenant.state.is_closed]

    def add_to_picture(self, boxes: list[Box]) -> None:
        """Add a box for each server of tenants."""
        from databases.tenants.overview import boxes_of_servers

        boxes += boxes_of_servers()

    def page_section(self, request: HttpRequest) -> str:
        """Return the part of the databases page that lists tenants, as HTML."""
        from databases.tenants.overview import section

        return section(request)
