"""What happens to a tenant as a whole. Every step may be repeated: what is done already stays as it is."""

from __future__ import annotations

import re

from django.conf import settings

# % if cookiecutter.__external_tenants
from .attach import make_ready
# % endif
from .context import alias_of
# % if cookiecutter.__managed_tenants
from .provision import make_ready
# % endif
from .registry import DATABASE, Tenant


def create_tenant(slug: str, *, server: str = "default", database: str = "") -> Tenant:
    """Register a tenant, make its database ready, and only then open its pages.

    Arguments: the slug; the name of its server, `default` for the one in `TENANT_DATABASE_URL` or one of those in
    `TENANT_SERVERS`; the name of its database there, `tenant_<slug>` if empty.
    Raises `ValueError` for a name that cannot be used or that is in use, and what making the database ready raises:
    the tenant is then left pending, and the same call carries on from there.
    """
    alias = alias_of(slug)
    database = database or alias
    if not re.fullmatch(DATABASE, database):
        raise ValueError(f"{database!r} cannot be a database's name here: use at most 63 letters, digits and _ . -")
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    owner = Tenant.objects.filter(server=server, database=database).exclude(slug=slug).first()
    if owner is not None:
        raise ValueError(f"The database {database!r} on {server!r} belongs to the tenant {owner.slug!r} already.")
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
