"""Settings of the tenants: their servers, and what keeps sessions, caches, files and logs of tenants apart."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import from_url


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
SESSION_ENGINE = "databases.tenants.sessions"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "databases.tenants.cache.make_key",
    },
}
STORAGES = {
    "default": {"BACKEND": "databases.tenants.storage.TenantFileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tenant": {"()": "databases.tenants.logs.TenantFilter"}},
    "formatters": {"tenant": {"format": "%(levelname)s %(name)s [%(tenant)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["tenant"], "formatter": "tenant"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Without a handler: Django's own handler would write each line a second time.
    "loggers": {"django": {"level": "INFO"}},
}
