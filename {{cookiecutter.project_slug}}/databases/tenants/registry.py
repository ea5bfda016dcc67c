"""The registry of tenants: a table in the primary database that says where each tenant's own database is."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import connections, models

from databases.secret import Secret
from databases.tenants.context import ALIAS_PREFIX, SLUG, UnknownTenantError, alias_of
# % if cookiecutter.__credentials
from databases.tenants.credentials import passwords
# % endif
from databases.tenants.states import STATES, State, Status, statuses

#: A path segment without quotes or a dot at its start: it becomes part of SQL and, for SQLite, of a file name.
DATABASE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"


class Tenant(models.Model):
    """A tenant. The engine and address of its database come from its server in `TENANT_SERVERS`.

    Rows are never deleted: an alias must never lead to another tenant's database.
    """

    Status = Status

    slug = models.CharField(max_length=41, unique=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: The host name before `SITE_DOMAIN`. It is the slug until the tenant is renamed.
    host = models.CharField(max_length=41, unique=True, blank=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: Written into its database too, which tells it from a database of the same name of another registry.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    server = models.CharField(max_length=50, default="default")
    database = models.CharField(max_length=63, validators=[RegexValidator(rf"^{DATABASE}\Z")])
    status = models.CharField(max_length=10, choices=statuses, default=Status.PENDING)
    created = models.DateTimeField(auto_now_add=True)
    # % if cookiecutter.__credentials
    #: Its own database user. If empty, connections use the server's user.
    user = models.CharField(max_length=63, blank=True, default="", editable=False)
    #: Encrypted, or the name of an environment variable: see `credentials.passwords`.
    password = models.TextField(blank=True, default="", editable=False)
    # % endif

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
    def state(self) -> State:
        """What the tenant's status means."""
        return STATES[self.status]

    @property
    def connection_key(self) -> tuple[object, ...]:
        """The values that a connection depends on. If they have changed, the connection is replaced."""
        state = self.state
        # % if cookiecutter.__credentials
        credentials = self.user, self.password
        # % else
        credentials = ()
        # % endif
        return self.uid, self.server, self.database, *credentials, state.is_read_only, state.is_closed

    def connection_settings(self) -> dict[str, Any]:
        """Return the complete settings of the tenant's connection.

        Raises `LookupError` if the environment lacks the tenant's server or the key of its password, and `ValueError`
        for an invalid database name: the row may have been written without validation.
        """
        check_database_name(self.database)
        if self.server not in settings.TENANT_SERVERS:
            raise LookupError(f"The server {self.server!r} of tenant {self.slug!r} is not in TENANT_SERVERS: add it.")
        server = settings.TENANT_SERVERS[self.server]
        config = {**server, "NAME": server["NAME"].replace("{name}", self.database)}
        config["PASSWORD"] = Secret(config.get("PASSWORD") or "")
        # % if cookiecutter.__credentials
        if self.user:
            config |= {"USER": self.user, "PASSWORD": passwords.reveal(self.password)}
        # % endif
        # Django adds its defaults here. With an incomplete entry every view of the process would raise KeyError.
        filled: dict[str, Any] = connections.configure_settings({"default": {}, self.alias: config})[self.alias]
        return filled


def check_database_name(name: str) -> None:
    """Raise `ValueError` for an invalid name of a tenant's database."""
    if not re.fullmatch(DATABASE, name):
        raise ValueError(f"{name!r} cannot be a database's name here: use at most 63 letters, digits and _ . -")


def find(slug: str) -> Tenant:
    """Return the registry row of a tenant. Raises `UnknownTenantError`."""
    try:
        # An invalid slug is not queried: databases reject some characters.
        return Tenant.objects.get(slug=slug if SLUG.fullmatch(slug) else "")
    except Tenant.DoesNotExist:
        raise UnknownTenantError(
            f"There is no tenant {slug!r}: see `list_tenants`, or make it with `create_tenant`."
        ) from None


def slug_of(alias: str) -> str:
    """Return the slug in a tenant's alias."""
    return alias.removeprefix(ALIAS_PREFIX)
