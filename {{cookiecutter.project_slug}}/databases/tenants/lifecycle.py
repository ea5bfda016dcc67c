"""Tenants are registered, made ready and renamed. Every step may be repeated: finished steps change nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Q

from databases.tenants import registry_cache
from databases.tenants.context import alias_of
from databases.tenants.registry import Tenant, find
from databases.tenants.transitions import change


def create_tenant(slug: str, *, server: str = "default", database: str = "") -> Tenant:
    """Register a tenant, make its database ready, and only then open its pages.

    Arguments: the slug; the name of its server in `settings.TENANT_SERVERS`; the name of its database there,
    `tenant_<slug>` if empty. Raises `ValueError` for a name that is invalid or taken, and what `make_ready` of the
    provisioning raises. The tenant is then pending, and the same call continues from there.
    """
    alias = alias_of(slug)
    database = database or alias
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    provisioning: Any = import_module(settings.TENANT_PROVISIONING)
    provisioning.refuse_name(database)
    _refuse_shared_database(Tenant(slug=slug, server=server, database=database))
    refuse_host(slug, slug)
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"server": server, "database": database})
    if (tenant.server, tenant.database) != (server, database):
        raise ValueError(
            f"The tenant {slug!r} exists, with the database {tenant.database!r} on {tenant.server!r}: an alias must "
            "never lead to another database."
        )
    provisioning.make_ready(tenant)
    if tenant.status == Tenant.Status.PENDING:
        tenant = change(slug, "activate")
    return tenant


def rename_tenant(slug: str, host: str) -> Tenant:
    """Give a tenant another host, `<host>.SITE_DOMAIN`; slug, alias and database stay. Return its row.

    Raises `UnknownTenantError`, and `ValueError` for an invalid host and for another tenant's host or slug.
    """
    tenant = find(slug)
    refuse_host(slug, host)
    try:
        # A savepoint, so that a caller that holds a transaction open can continue after a refusal.
        with transaction.atomic(using=router.db_for_write(Tenant)):
            Tenant.objects.filter(pk=tenant.pk).update(host=host)
    except IntegrityError as error:
        raise ValueError(f"The host {host!r} is another tenant's: choose another.") from error
    registry_cache.forget(slug)
    return find(slug)


def database_key(config: dict[str, Any]) -> tuple[str, ...]:
    """Return a key that is equal for settings of the same database. Some servers ignore upper and lower case."""
    return tuple(str(config.get(key, "")).lower() for key in ("ENGINE", "HOST", "PORT", "NAME"))


def refuse_host(slug: str, host: str) -> None:
    """Raise `ValueError` for an invalid host, and for another tenant's host or slug."""
    alias_of(host)
    for other in Tenant.objects.filter(Q(host=host) | Q(slug=host)).exclude(slug=slug):
        raise ValueError(f"The host {host!r} is that of the tenant {other.slug!r}, or its slug: choose another.")


def _refuse_shared_database(tenant: Tenant) -> None:
    """Raise `ValueError` if the database is another tenant's, or is declared in `DATABASES`."""
    key = database_key(tenant.connection_settings())
    # Two entries of TENANT_SERVERS may be one server with two users.
    for other in Tenant.objects.filter(database__iexact=tenant.database).exclude(slug=tenant.slug):
        if other.server in settings.TENANT_SERVERS and database_key(other.connection_settings()) == key:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} belongs to the tenant {other.slug!r} already."
            )
    for alias, config in settings.DATABASES.items():
        if alias != tenant.alias and database_key(config) == key:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} is that of {alias!r}: name another."
            )
