"""System checks of the tenants: models, admins and settings that would let one tenant see what belongs to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.http.request import split_domain_port
from django.utils.module_loading import import_string

from databases.tenants.cache import make_key
from databases.tenants.models import TenantModel, TenantQuerySet
from databases.tenants.sessions import SessionStore
from databases.tenants.storage import TenantFileSystemStorage

KEY_FUNCTION = "databases.tenants.cache.make_key"


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_managers, checks.Tags.models)
    checks.register(check_admins, checks.Tags.admin)
    checks.register(check_site_domain)
    checks.register(check_connections)
    checks.register(check_caches, checks.Tags.caches)
    checks.register(check_storage, checks.Tags.files)
    checks.register(check_sessions)


def check_managers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each manager whose querysets may be built under one tenant and evaluated under another."""
    return [
        checks.Error(
            f"{manager} does not make TenantQuerySets: its querysets could return the rows of any tenant.",
            hint="Derive the manager from databases.tenants.models.TenantManager, or its queryset from TenantQuerySet "
            "in the same module.",
            obj=model,
            id="databases.E005",
        )
        for model in apps.get_models()
        for manager in model._meta.managers
        if issubclass(model, TenantModel) and not _makes_tenant_querysets(manager)
    ]


def check_admins(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each admin of a tenant model that would show one tenant's history to the others."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    # Imported here: the admin's models cannot be imported where the admin is not installed.
    from django.contrib.admin.sites import all_sites

    from databases.tenants.admin import TenantModelAdmin

    return [
        checks.Error(
            f"{type(model_admin).__name__} logs changes by the rows' keys, and tenants have rows with the same keys.",
            hint="Derive it from databases.tenants.admin.TenantModelAdmin.",
            obj=model,
            id="databases.E009",
        )
        for site in all_sites
        for model, model_admin in site._registry.items()
        if issubclass(model, TenantModel) and not isinstance(model_admin, TenantModelAdmin)
    ]


def check_site_domain(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where `SITE_DOMAIN` can match no host."""
    domain = settings.SITE_DOMAIN
    if domain and not domain.startswith(".") and split_domain_port(domain) == (domain, ""):
        return []
    return [
        checks.Error(
            f"SITE_DOMAIN is {domain!r}, so every page would be a 404.",
            hint="Set it to the domain whose sub-domains are the tenants, in lower case and without a port, such as "
            "example.com.",
            id="databases.E006",
        )
    ]


def check_connections(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where `TENANT_CONNECTIONS` allows no connection."""
    if settings.TENANT_CONNECTIONS >= 1:
        return []
    return [
        checks.Error(
            f"TENANT_CONNECTIONS is {settings.TENANT_CONNECTIONS}, and every query on a tenant needs a connection.",
            hint="Set it to at least the number of threads of a process. Connections above that number are kept open "
            "for later requests.",
            id="databases.E008",
        )
    ]


def check_caches(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each cache whose keys do not begin with their tenant."""
    return [
        checks.Error(
            f"CACHES[{alias!r}] has no KEY_FUNCTION {KEY_FUNCTION!r}, so tenants would read one another's entries.",
            hint=f'Add "KEY_FUNCTION": "{KEY_FUNCTION}" to it. If its keys begin with the tenant in another way, add '
            "databases.E012 to SILENCED_SYSTEM_CHECKS.",
            id="databases.E012",
        )
        for alias, config in settings.CACHES.items()
        if config.get("KEY_FUNCTION") not in (KEY_FUNCTION, make_key)
    ]


def check_storage(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where uploaded files would not be kept in a folder per tenant."""
    # Static files are the same for all tenants.
    backends = {
        alias: config.get("BACKEND", "") for alias, config in settings.STORAGES.items() if alias != "staticfiles"
    }
    return [
        checks.Error(
            f"STORAGES[{alias!r}] is {backend!r}, which keeps no folder per tenant: tenants would read and overwrite "
            "one another's files.",
            hint="Derive the storage from databases.tenants.storage.TenantFileSystemStorage. If it is another kind of "
            "storage that puts the current tenant into every name, add databases.E013 to SILENCED_SYSTEM_CHECKS.",
            id="databases.E013",
        )
        for alias, backend in {"default": "", **backends}.items()
        if not _derives_from(backend, TenantFileSystemStorage)
    ]


def check_sessions(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where a session cookie would be valid on the hosts of all tenants."""
    if _derives_from(f"{settings.SESSION_ENGINE}.SessionStore", SessionStore):
        return []
    return [
        checks.Error(
            f"SESSION_ENGINE is {settings.SESSION_ENGINE!r}, whose sessions are valid on every tenant's host.",
            hint="Set it to databases.tenants.sessions, or to a module whose SessionStore derives from "
            "databases.tenants.sessions.SessionStore.",
            id="databases.E014",
        )
    ]


def _derives_from(path: str, base: type) -> bool:
    """Return whether a dotted path leads to a class that derives from `base`."""
    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, base)


def _makes_tenant_querysets(manager: Any) -> bool:
    return issubclass(manager._queryset_class, TenantQuerySet)
