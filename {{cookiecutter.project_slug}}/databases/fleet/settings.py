"""The servers of the fleet."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import ENGINES
from databases.tenants.settings import tenant_server


def fleet_servers(default: dict[str, Any], pairs: list[str]) -> dict[str, dict[str, Any]]:
    """Return the servers by name: the default server, and the servers in `TENANT_SERVERS`, as `name=URL` pairs.

    Raises `ImproperlyConfigured` like `tenant_server`, for a name that cannot be used, and for another engine than
    PostgreSQL.
    """
    servers = {"default": default}
    for pair in pairs:
        name, _, url = pair.partition("=")
        if not re.fullmatch(r"[\w-]{1,50}", name) or name in servers:
            # Without the pair: where its name is missing, it begins with a URL that may hold a password.
            raise ImproperlyConfigured(
                "TENANT_SERVERS must be name=URL pairs, separated by commas. A name is at most 50 letters, digits, _ "
                "and -, and is used once; 'default' is the server in TENANT_DATABASE_URL."
            )
        servers[name] = tenant_server(url, "TENANT_SERVERS")
    for name, config in servers.items():
        if config["ENGINE"] != ENGINES["postgresql"]:
            variable = "TENANT_DATABASE_URL" if name == "default" else "TENANT_SERVERS"
            raise ImproperlyConfigured(f"{variable}: the server {name!r} must be PostgreSQL, as the fleet needs it.")
    return servers
