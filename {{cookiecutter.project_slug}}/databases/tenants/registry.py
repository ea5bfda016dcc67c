"""The registry of tenants: a table in the primary database that says where each tenant's own database is."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import DEFAULT_DB_ALIAS, connections, models

from databases.secret import Secret
from databases.tenants.context import SLUG, UnknownTenantError, alias_of
# % if cookiecutter.__credentials
from databases.tenants.credentials import passwords
# % endif
# % if cookiecutter.__external
from databases.tenants.external.urls import settings_of
# % endif
from databases.tenants.states import STATES, State, Status, statuses

#: A path segment without quotes or a dot at its start: it becomes part of SQL and, for SQLite, of a file name.
DATABASE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"


class _Named:
    """What a row of the registry and its copies have in common. `str()` of each is the slug."""

    slug: Any
    status: Any

    def __str__(self) -> str:
        return str(self.slug)

    @property
    def alias(self) -> str:
        """The alias of the tenant's database, such as `tenant_acme`."""
        return alias_of(self.slug)

    @property
    def state(self) -> State:
        """What the tenant's status means."""
        return STATES[self.status]


class Tenant(_Named, models.Model):
    """A tenant. The engine and address of its database come from its server in `TENANT_SERVERS`.

    The row of a tenant that has had a database is never deleted: its slug, and so its alias, must never lead to
    another tenant's database.
    """

    Status = Status

    slug = models.CharField(max_length=41, unique=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: The host name before `SITE_DOMAIN`. It is the slug until the tenant is renamed.
    host = models.CharField(max_length=41, unique=True, blank=True, validators=[RegexValidator(rf"^{SLUG.pattern}\Z")])
    #: Written into its database too, which tells it from a database of the same name of another registry.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    server = models.CharField(max_length=50, default="default")
    # % if cookiecutter.__external
    #: Its name on its server, or a URL without user and password. Then `server` is empty.
    database = models.CharField(max_length=500, validators=[RegexValidator(rf"^({DATABASE}|[a-z]+://\S+)\Z")])
    # % else
    database = models.CharField(max_length=63, validators=[RegexValidator(rf"^{DATABASE}\Z")])
    # % endif
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.host = self.host or self.slug
        super().save(*args, **kwargs)

    @property
    def info(self) -> TenantInfo:
        """The row as a value that cannot be changed."""
        return TenantInfo(**{each: getattr(self, each) for each in COLUMNS})

    def connection_settings(self) -> dict[str, Any]:
        """Return the complete settings of a maintenance connection. Raises what `TenantInfo.address` raises."""
        return self.info.address


@dataclass(frozen=True, repr=False)
class TenantInfo(_Named):
    """A row of the registry as it was read."""

    slug: str
    host: str
    uid: uuid.UUID
    server: str
    database: str
    status: str
    # % if cookiecutter.__credentials
    user: str = ""
    password: str = ""
    # % endif

    def __repr__(self) -> str:
        # Without the user and the password.
        return f"<{type(self).__name__} {self.slug}: {self.status}>"

    @cached_property
    def connection_key(self) -> tuple[object, ...]:
        """The values that a connection depends on. After a change, requests use another connection."""
        return tuple(getattr(self, each) for each in COLUMNS if each not in ("host", "status"))

    @property
    def address(self) -> dict[str, Any]:
        """The complete settings of a connection to the tenant's database, in Django's own engine.

        Raises `LookupError` if the environment lacks the tenant's server or the key of its password, and `ValueError`
        for an invalid database name: the row may have been written without validation.
        """
        # % if cookiecutter.__external
        config = self._on_its_server() if self.server else settings_of(self.database)
        # % else
        config = self._on_its_server()
        # % endif
        config["PASSWORD"] = Secret(config.get("PASSWORD") or "")
        # % if cookiecutter.__credentials
        if self.user:
            config |= {"USER": self.user, "PASSWORD": passwords.reveal(self.password)}
        # % endif
        # Django adds its defaults here. With an incomplete entry every view of the process would raise KeyError.
        filled: dict[str, Any] = connections.configure_settings({DEFAULT_DB_ALIAS: {}, self.alias: config})[self.alias]
        return filled

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The entry of `DATABASES` for requests. Its engine takes connections from the pool of the process."""
        address = self.address
        engine = f"databases.tenants.backends.{address['ENGINE'].rpartition('.')[2]}"
        # Django is to close a connection when its request ends: the pool keeps it open instead.
        pooled = {"CONN_MAX_AGE": 0, "IDLE_SECONDS": address["CONN_MAX_AGE"]}
        return {**address, "ENGINE": engine, **pooled, "TENANT": self}

    def _on_its_server(self) -> dict[str, Any]:
        if not re.fullmatch(DATABASE, self.database):
            raise ValueError(
                f"{self.database!r} cannot be a database's name here: use at most 63 letters, digits, dots, "
                "hyphens and underscores."
            )
        if self.server not in settings.TENANT_SERVERS:
            raise LookupError(f"The server {self.server!r} of tenant {self.slug!r} is not in TENANT_SERVERS: add it.")
        server = settings.TENANT_SERVERS[self.server]
        return {**server, "NAME": server["NAME"].replace("{name}", self.database)}


COLUMNS = [each.name for each in fields(TenantInfo)]

#: What a tenant is looked up by: the name of a column, and its value.
Key = tuple[str, str]


def find(slug: str) -> Tenant:
    """Return the registry row of a tenant. Raises `UnknownTenantError`."""
    try:
        # An invalid slug is not queried: databases reject some characters.
        return Tenant.objects.get(slug=slug if SLUG.fullmatch(slug) else "")
    except Tenant.DoesNotExist:
        raise UnknownTenantError(
            f"There is no tenant {slug!r}: see `list_tenants`, or make it with `create_tenant`."
        ) from None
