"""Settings of the tenants: their servers, and what keeps sessions and caches of tenants apart."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import from_url
from databases.logs import log_settings


def tenant_server(url: str, variable: str, development: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the connection settings for the tenants of a server: an entry of `DATABASES` with `{name}` in its name.

    Arguments: the URL, the environment variable that held it, and the entry that development uses without a URL. Raises
    `ImproperlyConfigured` like `from_url`, if `{name}` is missing, and for a pool or `ATOMIC_REQUESTS`.
    """
    config = from_url(url, variable, development)
    if "{name}" not in config["NAME"]:
        raise ImproperlyConfigured(variable + " must hold {name} in place of the name of a tenant's database.")
    if "pool" in config.get("OPTIONS", {}):
        # Django keeps a pool for each alias, and no request closes it: 15 tenants kept 60 sessions open.
        raise ImproperlyConfigured(
            f"{variable} must not ask for a pool: each tenant would keep its own. TENANT_CONNECTIONS limits the "
            "connections of a process; to share connections between processes use a pooler such as PgBouncer."
        )
    if config.get("ATOMIC_REQUESTS"):
        raise ImproperlyConfigured(
            f"{variable} must not ask for ATOMIC_REQUESTS: each request would open a transaction on tenants that it "
            "does not use. Open transactions with atomic_for(Model)."
        )
    return config


#: What outlives a request is kept apart by tenant. `manage.py check` reports settings of yours that break this.
#: A user logs in at the hosts of the tenants that it is a member of.
AUTHENTICATION_BACKENDS = ["databases.tenants.members.MemberBackend"]
#: Not in cookies, which know no tenant where tenants share a host.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_ENGINE = "databases.tenants.sessions"
CACHES = {"default": {"BACKEND": "databases.tenants.cache.LocMemCache"}}
#: Where uploaded files are kept.
FILE_STORAGE = "databases.tenants.storage.TenantFileSystemStorage"
#: What log lines have besides the id of their request: by name, the filter that adds it.
LOG_FIELDS = {"tenant": "databases.tenants.propagation.TenantFilter"}
#: For a project that has joined. The settings of a new one have more, and win.
STORAGES = {
    "default": {"BACKEND": FILE_STORAGE},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = log_settings("text", **LOG_FIELDS)
