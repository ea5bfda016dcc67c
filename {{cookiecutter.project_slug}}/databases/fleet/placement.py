"""Which server a new tenant goes to."""

from __future__ import annotations

from contextlib import suppress

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Count

from databases.fleet import ready
from databases.fleet.models import TenantArtifact
from databases.fleet.states import FleetStatus
from databases.tenants.lifecycle import create_tenant, database_key, refuse_host
from databases.tenants.registry import Tenant

#: How many tenants a server is meant for that `TENANT_ROOM` does not name.
ROOM = 1000


def create_placed_tenant(slug: str, *, server: str = "", database: str = "") -> Tenant:
    """Create a tenant on the named server; without a name on its present one, or on the one that `server_for` chooses.

    It gets a ready database if there is one. Raises what `create_tenant` and `server_for` raise, and `ValueError` for a
    database that the fleet keeps for another purpose.
    """
    server = server or server_for(slug)
    if not database and not Tenant.objects.filter(slug=slug).exists():
        refuse_host(slug, slug)
        with suppress(IntegrityError):
            if tenant := ready.take(slug, server):
                return tenant
    if server in settings.TENANT_SERVERS:
        _refuse_artifact(Tenant(slug=slug, server=server, database=database or f"tenant_{slug}"))
    return create_tenant(slug, server=server, database=database)


def server_for(slug: str) -> str:
    """Return the server of a tenant; of a new one, that with the fewest tenants for its room, the first of several.

    Archived tenants take no room. Raises `ValueError` if no server has any left.
    """
    known = Tenant.objects.filter(slug=slug).values_list("server", flat=True).first()
    if known:
        return known
    tenants = Tenant.objects.order_by().exclude(status=FleetStatus.ARCHIVED)
    numbers = dict(tenants.values_list("server").annotate(Count("pk")))
    free = [server for server in settings.TENANT_SERVERS if numbers.get(server, 0) < room_of(server)]
    if not free:
        raise ValueError(
            f"No server has room for the tenant {slug!r}: all {len(settings.TENANT_SERVERS)} servers have as many "
            "tenants as TENANT_ROOM says. Add a server, raise TENANT_ROOM, or name a server with --server."
        )
    return min(free, key=lambda server: numbers.get(server, 0) / room_of(server))


def room_of(server: str) -> int:
    """Return how many tenants a server is meant for."""
    return settings.TENANT_ROOM.get(server, ROOM)


def _refuse_artifact(tenant: Tenant) -> None:
    key = database_key(tenant.connection_settings())
    others = TenantArtifact.objects.exclude(tenant__slug=tenant.slug).select_related("tenant")
    for artifact in others.filter(database__iexact=tenant.database):
        if artifact.server in settings.TENANT_SERVERS and database_key(artifact.connection_settings()) == key:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} is taken: {artifact}. Name another database."
            )
