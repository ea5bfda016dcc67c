"""The registry of tenants: one row each in the primary database, which says where the tenant's own database is."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import connections, models

from . import passwords
from .context import ALIAS_PREFIX, SLUG, UnknownTenantError, alias_of

#: One path segment without quotes or dots at its start: it goes into SQL and, for SQLite, into a file name.
DATABASE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"
# % if cookiecutter.__managed_tenants
#: How the names of databases begin that new tenants are copied from.
TEMPLATE = "tenant_template_"
SPARE = "tenant_spare_"
# % endif


def statuses() -> list[tuple[str, str]]:
    """Return the choices of `Tenant.status`; migrations name this function, and so need not change with it."""
    return Tenant.Status.choices


class Tenant(models.Model):
    """A tenant. Engine and address are those of its server, which the environment describes; so are user and password
    while the tenant has none of its own.

    Rows are never deleted: the alias of a slug must not come to mean another database.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "pending: its database is not ready yet"
        ACTIVE = "active", "active"
        SUSPENDED = "suspended", "suspended: its pages answer 503"
        # % if cookiecutter.__managed_tenants
        MOVING = "moving", "moving to another server: its pages only read"
        ARCHIVING = "archiving", "archiving: its pages answer 503"
        ARCHIVED = "archived", "archived: it has no database, and its pages are gone"
        RESTORING = "restoring", "restoring from its archive: its pages answer 503"
        # % endif

    slug = models.CharField(max_length=41, unique=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: What stands before `SITE_DOMAIN` in its addresses: the slug, until it is renamed.
    host = models.CharField(max_length=41, unique=True, blank=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: Tells its database from one of the same name that another registry looks after.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    server = models.CharField(max_length=50, default="default")
    database = models.CharField(max_length=63, validators=[RegexValidator(rf"^{DATABASE}\Z")])
    user = models.CharField(max_length=63, blank=True, default="", editable=False)
    #: Encrypted, or the name of an environment variable: see `passwords`.
    password = models.TextField(blank=True, default="", editable=False)
    status = models.CharField(max_length=10, choices=statuses, default=Status.PENDING)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["server", "database"], name="one_tenant_per_database")]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.host = self.host or self.slug
        super().save(*args, **kwargs)

    @property
    def alias(self) -> str:
        """The alias of the tenant's database, such as `tenant_acme`."""
        return alias_of(self.slug)

    @property
    def is_served(self) -> bool:
        """Whether its pages are served, if only to be read."""
        # % if cookiecutter.__managed_tenants
        return self.status in (self.Status.ACTIVE, self.Status.MOVING)
        # % else
        return self.status == self.Status.ACTIVE
        # % endif

    # % if cookiecutter.__managed_tenants
    @property
    def is_read_only(self) -> bool:
        """Whether nothing is written to its database now."""
        return self.status == self.Status.MOVING

    # % endif
    @property
    def is_closed(self) -> bool:
        """Whether nobody is to connect to its database, which may not be there."""
        # % if cookiecutter.__managed_tenants
        return self.status in (self.Status.ARCHIVING, self.Status.ARCHIVED, self.Status.RESTORING)
        # % else
        return False
        # % endif

    @property
    def place(self) -> tuple[object, ...]:
        """What a connection was made with: where this has changed it takes another one."""
        # % if cookiecutter.__managed_tenants
        return self.uid, self.server, self.database, self.user, self.password, self.is_read_only, self.is_closed
        # % else
        return self.uid, self.server, self.database, self.user, self.password
        # % endif

    def connection_settings(self) -> dict[str, Any]:
        """Return the complete settings of the tenant's connection.

        Raises `LookupError` where the tenant's server or its password's key is not in the environment, and `ValueError`
        for what cannot be a database's name: rows may have been written without being validated.
        """
        check_database_name(self.database)
        if self.server not in settings.TENANT_SERVERS:
            raise LookupError(f"The server {self.server!r} of tenant {self.slug!r} is not in TENANT_SERVERS: add it.")
        server = settings.TENANT_SERVERS[self.server]
        config = {
            **server,
            "NAME": server["NAME"].replace("{name}", self.database),
        }
        config["PASSWORD"] = passwords.Password(config.get("PASSWORD") or "")
        if self.user:
            config |= {"USER": self.user, "PASSWORD": passwords.reveal(self.password)}
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
        # What cannot be a slug need not be asked for, and some of it no database takes.
        return Tenant.objects.get(slug=slug if SLUG.fullmatch(slug) else "")
    except Tenant.DoesNotExist:
        raise UnknownTenantError(
            f"There is no tenant {slug!r}: see `list_tenants`, or make it with `create_tenant`."
        ) from None


def slug_of(alias: str) -> str:
    """Return the slug in a tenant's alias."""
    return alias.removeprefix(ALIAS_PREFIX)
