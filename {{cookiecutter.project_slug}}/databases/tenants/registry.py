"""The registry of tenants: one row each in the primary database, which says where the tenant's own database is."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import connections, models

from .context import ALIAS_PREFIX, SLUG, UnknownTenantError, alias_of

#: One path segment without quotes or dots at its start: it goes into SQL and, for SQLite, into a file name.
DATABASE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"


class Tenant(models.Model):
    """A tenant. Engine, host, user and password are those of its server, which the environment describes.

    Rows hold no secrets, and are never deleted: the alias of a slug must not come to mean another database.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "pending: its database is not ready yet"
        ACTIVE = "active", "active"
        SUSPENDED = "suspended", "suspended: its pages answer 503"

    slug = models.CharField(max_length=41, unique=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    server = models.CharField(max_length=50, default="default")
    database = models.CharField(max_length=63, validators=[RegexValidator(rf"^{DATABASE}\Z")])
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["server", "database"], name="one_tenant_per_database")]

    def __str__(self) -> str:
        return self.slug

    @property
    def alias(self) -> str:
        """The alias of the tenant's database, such as `tenant_acme`."""
        return alias_of(self.slug)

    def connection_settings(self) -> dict[str, Any]:
        """Return the complete settings of the tenant's connection.

        Raises `LookupError` where the tenant's server is not in the environment, and `ValueError` for what cannot be a
        database's name: rows may have been written without being validated.
        """
        check_database_name(self.database)
        if self.server not in settings.TENANT_SERVERS:
            raise LookupError(f"The server {self.server!r} of tenant {self.slug!r} is not in TENANT_SERVERS: add it.")
        server = settings.TENANT_SERVERS[self.server]
        config = {
            **server,
            "NAME": server["NAME"].replace("{name}", self.database),
            # A pool per alias multiplies: every tenant would keep its own, for ever.
            "OPTIONS": {key: value for key, value in server.get("OPTIONS", {}).items() if key != "pool"},
            # It would open a transaction on this tenant for requests that are not for it.
            "ATOMIC_REQUESTS": False,
        }
        # Django fills in its defaults here; a partial entry makes every view of the process raise KeyError.
        filled: dict[str, Any] = connections.configure_settings({"default": {}, self.alias: config})[self.alias]
        return filled


def check_database_name(name: str) -> None:
    """Raise `ValueError` for what cannot be the name of a tenant's database."""
    if not re.fullmatch(DATABASE, name):
        raise ValueError(f"{name!r} cannot be a database's name here: use at most 63 letters, digits and _ . -")


def find(slug: str) -> Tenant:
    """Return the registry row of a tenant. Raises `UnknownTenantError`."""
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist:
        raise UnknownTenantError(
            f"There is no tenant {slug!r}: see `list_tenants`, or make it with `create_tenant`."
        ) from None


def slug_of(alias: str) -> str:
    """Return the slug in a tenant's alias."""
    return alias.removeprefix(ALIAS_PREFIX)
