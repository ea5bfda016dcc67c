"""Gives new databases to their tenants: each to an owner of its own, with all that is in it.

After that the server's user runs nothing inside a tenant's database.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.db import DatabaseError

from databases.fleet import roles
from databases.tenants.maintenance import LOCK_SECONDS, maintenance_cursor, server_cursor
from databases.tenants.managed.owners import ServerUser, owners
from databases.tenants.managed.template import ALIAS
from databases.tenants.registry import Tenant
from databases.tenants.states import TenantError

#: Of a session of the server's user where a tenant may have been.
PLAIN = f"-c search_path=pg_catalog -c lock_timeout={LOCK_SECONDS}s"

#: The role that owns what a template holds, and so what a new copy holds, until it is given to the tenant's owner. Each
#: user of a server has one, because another user could not use it.
TEMPLATE_OWNER = "SELECT left('tenant_template_' || current_user, 63)"


class TenantRoles(ServerUser):
    """Each tenant's database has an owner of its own."""

    #: Else every user of the server could get in before PUBLIC has lost its rights, and leave objects or stay.
    options = " ALLOW_CONNECTIONS false"

    def make(self, tenant: Tenant, cursor: Any) -> str:
        if not tenant.user:
            # Stored first. A user whose password nobody knows would be of no use.
            user, password = roles.new_credentials(tenant)
            Tenant.objects.filter(pk=tenant.pk, user="").update(user=user, password=password)
            tenant.refresh_from_db(fields=["user", "password"])
        roles.install(tenant, cursor)
        return roles.owner_of(tenant)

    def give(self, tenant: Tenant, config: dict[str, Any], cursor: Any) -> None:
        close_to_others(tenant, config["NAME"], cursor)
        name = template_owner(cursor)
        if not roles.exists(cursor, name):
            return
        owner, template = map(cursor.db.ops.quote_name, (roles.owner_of(tenant), name))
        # The tenant may have been in there, and its settings must not decide which functions the server's user runs.
        with maintenance_cursor(tenant.alias, with_plain_path(config)) as inside:
            inside.execute(f"REASSIGN OWNED BY {template} TO {owner}; REVOKE ALL ON SCHEMA public FROM {template}")

    def has_made(self, tenant: Tenant, config: dict[str, Any]) -> bool:
        with server_cursor(tenant.alias, config) as cursor:
            return roles.owner_in(cursor, config["NAME"]) == roles.owner_of(tenant)

    def remove(self, tenant: Tenant, config: dict[str, Any]) -> None:
        roles.drop(tenant, config)

    def template_settings(self, config: dict[str, Any]) -> dict[str, Any]:
        with server_cursor(ALIAS, config) as cursor:
            quote, name = cursor.db.ops.quote_name, template_owner(cursor)
            database, role = quote(config["NAME"]), quote(name)
            if not roles.exists(cursor, name):
                # Another process may have made it meanwhile. What else is wrong, the next statement says.
                with suppress(DatabaseError):
                    cursor.execute(f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO CURRENT_USER")
            cursor.execute(f"GRANT CREATE ON DATABASE {database} TO {role}")
            _open(cursor, config["NAME"])
        with maintenance_cursor(ALIAS, config) as cursor:
            cursor.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        return {**config, "OPTIONS": {**config["OPTIONS"], "assume_role": name}}


def template_owner(cursor: Any) -> str:
    """Return the name of the role that owns what a template holds."""
    cursor.execute(TEMPLATE_OWNER)
    return str(cursor.fetchone()[0])


def close_to_others(tenant: Tenant, database: str, cursor: Any) -> None:
    """Let nobody but the owner's members connect. Raises `TenantError` for a database of another owner."""
    found = roles.owner_in(cursor, database)
    if found != roles.owner_of(tenant):
        raise TenantError(
            f"The database {database!r} exists and was not made for {tenant.slug!r}: its owner is {found}. Name "
            "another one with --database."
        )
    _open(cursor, database)


def _open(cursor: Any, database: str) -> None:
    """Let those connect to a new database whom its owner allows to, without PUBLIC."""
    name = cursor.db.ops.quote_name(database)
    cursor.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def with_plain_path(config: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a session in which no setting of the database or the user changes what names mean."""
    given = config["OPTIONS"].get("options", "")
    # Sent with the login: Django runs a function before its user could change the path. PostgreSQL manual, 20.1.3.
    return {**config, "OPTIONS": {**config["OPTIONS"], "options": f"{given} {PLAIN}"}}


def enable() -> None:
    """Have new databases of tenants owned by roles of their own."""
    if not isinstance(owners[-1], TenantRoles):
        owners.append(TenantRoles())
