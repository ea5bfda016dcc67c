"""What happens to a tenant as a whole. Every step may be repeated: what is done already stays as it is."""

from __future__ import annotations

from typing import Any

from django.conf import settings

# % if cookiecutter.__external_tenants
from .attach import make_ready
# % endif
from .context import alias_of
# % if cookiecutter.__managed_tenants
from .provision import make_ready
# % endif
from .registry import Tenant


def create_tenant(slug: str, *, server: str = "default", database: str = "") -> Tenant:
    """Register a tenant, make its database ready, and only then open its pages.

    Arguments: the slug; the name of its server, `default` for the one in `TENANT_DATABASE_URL` or one of those in
    `TENANT_SERVERS`; the name of its database there, `tenant_<slug>` if empty.
    Raises `ValueError` for a name that cannot be used or that is in use, and what making the database ready raises:
    the tenant is then left pending, and the same call carries on from there.
    """
    alias = alias_of(slug)
    database = database or alias
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    _refuse_shared_database(Tenant(slug=slug, server=server, database=database))
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"server": server, "database": database})
    if (tenant.server, tenant.database) != (server, database):
        raise ValueError(
            f"The tenant {slug!r} exists, with the database {tenant.database!r} on {tenant.server!r}: an alias never "
            "comes to mean another database."
        )
    make_ready(tenant.alias)
    if tenant.status == Tenant.Status.PENDING:
        tenant.status = Tenant.Status.ACTIVE
        tenant.save(update_fields=["status"])
    return tenant


def _refuse_shared_database(tenant: Tenant) -> None:
    """Raise `ValueError` where the tenant's database is another tenant's, or one that the settings declare."""
    place = _place(tenant.connection_settings())
    # Two servers may be one host with two users, and some do not tell upper case from lower case.
    for other in Tenant.objects.filter(database__iexact=tenant.database).exclude(slug=tenant.slug):
        if other.server in settings.TENANT_SERVERS and _place(other.connection_settings()) == place:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} belongs to the tenant {other.slug!r} already."
            )
    for alias, config in settings.DATABASES.items():
        if alias != tenant.alias and _place(config) == place:
            raise ValueError(
                f"The database {tenant.database!r} on {tenant.server!r} is that of {alias!r}: name another."
            )


def _place(config: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(config.get(key, "")).lower() for key in ("ENGINE", "HOST", "PORT", "NAME"))
