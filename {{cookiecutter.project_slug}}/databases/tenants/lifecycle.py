"""What happens to a tenant as a whole. Every step may be repeated: what is done already stays as it is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Count, Q

from . import lookup
# % if cookiecutter.__external_tenants
from .attach import make_ready
# % endif
from .context import alias_of
# % if cookiecutter.__managed_tenants
from .copies import TenantCopy
from .provision import make_ready
# % endif
# % if cookiecutter.__managed_tenants
from .registry import SPARE, TEMPLATE, Tenant, find
# % else
from .registry import Tenant, find
# % endif
from .states import change
# % if cookiecutter.__managed_tenants
from .upkeep import settings_of
# % endif


def create_tenant(slug: str, *, server: str = "", database: str = "") -> Tenant:
    """Register a tenant, make its database ready, and only then open its pages.

    Arguments: the slug; the name of its server, `default` for the one in `TENANT_DATABASE_URL` or one of those in
    `TENANT_SERVERS`, the one with the fewest tenants if empty; the name of its database there, `tenant_<slug>` if
    empty.
    Raises `ValueError` for a name that cannot be used or that is in use, and what making the database ready raises:
    the tenant is then left pending, and the same call carries on from there.
    """
    alias = alias_of(slug)
    database = database or alias
    server = server or _server_for(slug)
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    # % if cookiecutter.__managed_tenants
    if database.lower().startswith((TEMPLATE, SPARE)):
        raise ValueError(f"The name {database!r} is of those that tenants are copied from: choose another.")
    # % endif
    _refuse_shared_database(Tenant(slug=slug, server=server, database=database))
    _refuse_taken_host(slug, slug)
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"server": server, "database": database})
    if (tenant.server, tenant.database) != (server, database):
        raise ValueError(
            f"The tenant {slug!r} exists, with the database {tenant.database!r} on {tenant.server!r}: an alias never "
            "comes to mean another database."
        )
    make_ready(tenant)
    if tenant.status == Tenant.Status.PENDING:
        tenant = change(slug, "activate")
    return tenant


def rename_tenant(slug: str, host: str) -> Tenant:
    """Give a tenant another host, `<host>.SITE_DOMAIN`; slug, alias and database stay. Return its row.

    Raises `UnknownTenantError`, and `ValueError` for what cannot be a host or is another tenant's host or slug.
    """
    tenant = find(slug)
    alias_of(host)
    _refuse_taken_host(slug, host)
    try:
        # A savepoint, so that whoever holds a transaction open can go on after a refusal.
        with transaction.atomic(using=router.db_for_write(Tenant)):
            Tenant.objects.filter(pk=tenant.pk).update(host=host)
    except IntegrityError as error:
        raise ValueError(f"The host {host!r} is another tenant's: choose another.") from error
    lookup.forget(slug)
    return find(slug)


def _server_for(slug: str) -> str:
    """Return the server that a tenant is on, or else the one with the fewest databases; the first of several."""
    known = Tenant.objects.filter(slug=slug).values_list("server", flat=True).first()
    tenants = Tenant.objects.order_by()
    # % if cookiecutter.__managed_tenants
    tenants = tenants.exclude(status=Tenant.Status.ARCHIVED)
    # % endif
    numbers = dict(tenants.values_list("server").annotate(Count("pk")))
    return known or min(settings.TENANT_SERVERS, key=lambda server: numbers.get(server, 0))


def _refuse_taken_host(slug: str, host: str) -> None:
    """Raise `ValueError` where another tenant has the host, or would be taken for the one at that host."""
    for other in Tenant.objects.filter(Q(host=host) | Q(slug=host)).exclude(slug=slug):
        raise ValueError(f"The host {host!r} is that of the tenant {other.slug!r}, or its slug: choose another.")


def _refuse_shared_database(tenant: Tenant) -> None:
    """Raise `ValueError` where the tenant's database is another tenant's, or one that the settings declare."""
    place = _place(tenant.connection_settings())
    # Two servers may be one host with two users, and some do not tell upper case from lower case.
    for other in Tenant.objects.filter(database__iexact=tenant.database).exclude(slug=tenant.slug):
        if other.server in settings.TENANT_SERVERS and _place(other.connection_settings()) == place:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} belongs to the tenant {other.slug!r} already."
            )
    # % if cookiecutter.__managed_tenants
    copies = TenantCopy.objects.filter(database__iexact=tenant.database, path="").select_related("tenant")
    for copy in copies.exclude(tenant__slug=tenant.slug, kind=TenantCopy.Kind.NEW):
        if copy.server in settings.TENANT_SERVERS and _place(settings_of(tenant, server=copy.server)) == place:
            raise ValueError(f"The database {tenant.database!r} on {tenant.server!r} is taken: {copy}.")
    # % endif
    for alias, config in settings.DATABASES.items():
        if alias != tenant.alias and _place(config) == place:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} is that of {alias!r}: name another."
            )


def _place(config: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(config.get(key, "")).lower() for key in ("ENGINE", "HOST", "PORT", "NAME"))
