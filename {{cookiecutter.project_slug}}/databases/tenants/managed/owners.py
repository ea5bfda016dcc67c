"""Who owns the databases of tenants: the server's user, unless another role gives each tenant an owner of its own."""

from __future__ import annotations

from typing import Any

from databases.tenants.registry import Tenant


class ServerUser:
    """The server's user owns all databases."""

    #: Of new databases, for CREATE DATABASE.
    options = ""

    def make(self, tenant: Tenant, cursor: Any) -> str:
        """Make who is to own a tenant's database, and return the name; an empty string for the server's user."""
        return ""

    def give(self, tenant: Tenant, config: dict[str, Any], cursor: Any) -> None:
        """Give the owner all that is in a new database. May be repeated until a tenant uses it."""

    def has_made(self, tenant: Tenant, config: dict[str, Any]) -> bool | None:
        """Return whether a database was made for a tenant, or `None` if its owner does not tell."""
        return None

    def remove(self, tenant: Tenant, config: dict[str, Any]) -> None:
        """Remove the owner from a server where it owns no database."""

    def template_settings(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the settings by which a new template is filled, so that `give` finds what copies hold."""
        return config


owners = [ServerUser()]


def owner() -> ServerUser:
    """Return what decides: the last of `owners`."""
    return owners[-1]
