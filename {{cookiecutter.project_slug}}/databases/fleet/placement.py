"""Which server a new tenant goes to."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Count

from databases.fleet.models import TenantArtifact
from databases.fleet.states import FleetStatus
from databases.tenants.lifecycle import create_tenant, database_key
from databases.tenants.registry import Tenant


def create_placed_tenant(slug: str, *, server: str = "", database: str = "") -> Tenant:
    """Create a tenant on the named server; without a name on its present one, or on the one with the fewest tenants.

    Raises what `create_tenant` raises, and `ValueError` for a database that the fleet keeps for another purpose.
    """
    server = server or server_for(slug)
    if server in settings.TENANT_SERVERS:
        _refuse_artifact(Tenant(slug=slug, server=server, database=database or f"tenant_{slug}"))
    return create_tenant(slug, server=server, database=database)


def server_for(slug: str) -> str:
    """Return the server of a tenant, or the server with the fewest databases of tenants; the first of several."""
    known = Tenant.objects.filter(slug=slug).values_list("server", flat=True).first()
    tenants = Tenant.objects.order_by().exclude(status=FleetStatus.ARCHIVED)
    numbers = dict(tenants.values_list("server").annotate(Count("pk")))
    return known or min(settings.TENANT_SERVERS, key=lambda server: numbers.get(server, 0))


def _refuse_artifact(tenant: Tenant) -> None:
    key = database_key(tenant.connection_settings())
    for artifact in TenantArtifact.objects.filter(database__iexact=tenant.database).select_related("tenant"):
        if artifact.server in settings.TENANT_SERVERS and database_key(artifact.connection_settings()) == key:
            raise ValueError(f"The database {tenant.database!r} on {tenant.server!r} is taken: {artifact}.")
