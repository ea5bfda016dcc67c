"""Tenants are registered, made ready and renamed. Every step may be repeated: finished steps change nothing."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Q

from databases.tenants.context import alias_of
from databases.tenants.registry import Tenant, find
from databases.tenants.registry_cache import cache
from databases.tenants.states import TenantError
from databases.tenants.transitions import change

#: The ports of servers whose settings name none.
PORTS = {"postgresql": 5432, "mysql": 3306}


def create_tenant(slug: str, *, server: str = "", database: str = "", **credentials: str) -> Tenant:
    """Register a tenant, make its database ready, and only then open its pages.

    Arguments: the slug; the name of its server in `settings.TENANT_SERVERS`, and of its database there. If empty they
    are those in the registry; for a new tenant, `default` and `tenant_<slug>`. Where the provisioning takes URLs, the
    database may be one, and `credentials` are values of other columns. Raises `ValueError` for a name that is
    invalid or taken, `TenantError` inside a transaction, and what `correct` and `make_ready` of the provisioning raise.
    The tenant is then pending, and the same call continues from there.
    """
    alias = alias_of(slug)
    refuse_transaction()
    known = Tenant.objects.filter(slug=slug).first()
    database = database or (known.database if known else alias)
    # A URL names its server itself.
    server = "" if "://" in database else server or (known.server if known else "") or "default"
    if server and server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    provisioning: Any = import_module(settings.TENANT_PROVISIONING)
    provisioning.refuse_name(database)
    _refuse_shared_database(Tenant(slug=slug, server=server, database=database))
    refuse_host(slug, slug)
    place = {"server": server, "database": database, **credentials}
    tenant = known or _register(slug, place)
    if any(getattr(tenant, column) != value for column, value in place.items()):
        tenant = provisioning.correct(tenant, **place)
    provisioning.make_ready(tenant)
    if tenant.status == Tenant.Status.PENDING:
        tenant = change(slug, "activate")
    return tenant


def purge_pending_tenant(slug: str) -> None:
    """Remove a pending tenant: what this project has made of its database, then its registry row.

    Raises `UnknownTenantError`, and what `purge` of the provisioning raises.
    """
    tenant = find(slug)
    refuse_transaction()
    provisioning: Any = import_module(settings.TENANT_PROVISIONING)
    provisioning.purge(tenant)


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
        raise ValueError(f"The host {host!r} belongs to another tenant: choose another.") from error
    cache.forget(slug)
    return find(slug)


def database_key(config: dict[str, Any]) -> tuple[str, ...]:
    """Return a key that is equal for settings of the same database. Some servers ignore upper and lower case."""
    port = config.get("PORT") or PORTS.get(config["ENGINE"].rpartition(".")[2], "")
    return tuple(str(each).lower() for each in (config["ENGINE"], config.get("HOST", ""), port, config["NAME"]))


def refuse_host(slug: str, host: str) -> None:
    """Raise `ValueError` for an invalid host, and for another tenant's host or slug."""
    alias_of(host)
    for other in Tenant.objects.filter(Q(host=host) | Q(slug=host)).exclude(slug=slug):
        raise ValueError(f"The host {host!r} is that of the tenant {other.slug!r}, or its slug: choose another.")


def _register(slug: str, place: dict[str, str]) -> Tenant:
    try:
        # A savepoint, so that a caller that holds a transaction open can continue.
        with transaction.atomic(using=router.db_for_write(Tenant)):
            return Tenant.objects.create(slug=slug, **place)
    except IntegrityError:
        # Another process has registered it meanwhile.
        return find(slug)


def refuse_transaction() -> None:
    """Raise `TenantError` inside a transaction on the registry's database. Those of a `TestCase` do not count."""
    try:
        with transaction.atomic(using=router.db_for_write(Tenant), durable=True):
            pass
    except RuntimeError:
        raise TenantError(
            "A tenant's database is not made, moved, archived or purged inside a transaction, because a rollback would "
            "undo the row in the registry and not the database: do it outside of atomic(), for example in on_commit()."
        ) from None


def _refuse_shared_database(tenant: Tenant) -> None:
    """Raise `ValueError` if the database is another tenant's, or is declared in `DATABASES`."""
    place = f"{tenant.database!r} on {tenant.server!r}" if tenant.server else repr(tenant.database)
    key = database_key(tenant.connection_settings())
    others = Tenant.objects.exclude(slug=tenant.slug)
    if tenant.server:
        # Two entries of TENANT_SERVERS may be one server with two users. A URL may lead there too.
        others = others.filter(Q(database__iexact=tenant.database) | Q(server=""))
    for other in others:
        with suppress(LookupError):
            # With neither user nor password: a tenant whose key is missing must not block the others.
            row = Tenant(slug=other.slug, server=other.server, database=other.database)
            if database_key(row.connection_settings()) == key:
                raise ValueError(f"The database {place} belongs to the tenant {other.slug!r} already: name another.")
    for alias, config in settings.DATABASES.items():
        if alias != tenant.alias and database_key(config) == key:
            raise ValueError(f"The database {place} is that of {alias!r}: name another.")
