"""System checks of the tenants: models, admins and settings that would let one tenant see what belongs to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.http.request import split_domain_port
from django.utils.module_loading import import_string

from databases.tenants.cache import TenantCache
from databases.tenants.members import MembersOnly
from databases.tenants.models import TenantModel, TenantQuerySet
from databases.tenants.sessions import SessionStore
from databases.tenants.storage import TenantStorage

MIDDLEWARE = "databases.tenants.middleware.TenantMiddleware"


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_managers, checks.Tags.models)
    checks.register(check_admins, checks.Tags.admin)
    checks.register(check_caches, checks.Tags.caches)
    checks.register(check_storage, checks.Tags.files)
    checks.register(check_settings)


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
        if issubclass(model, TenantModel) and not issubclass(manager._queryset_class, TenantQuerySet)  # type: ignore[attr-defined]
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


def check_caches(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each cache whose keys do not begin with their tenant."""
    return _underived(
        [(f"CACHES[{alias!r}] is", config.get("BACKEND")) for alias, config in settings.CACHES.items()],
        TenantCache,
        "whose keys do not begin with their tenant: tenants would read and clear one another's entries.",
        hint="Use a class in databases.tenants.cache, or derive the cache from its TenantCache.",
        id="databases.E012",
    )


def check_storage(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each storage whose names do not begin with their tenant."""
    # Static files are the same for all tenants.
    storages = {alias: each for alias, each in {"default": {}, **settings.STORAGES}.items() if alias != "staticfiles"}
    return _underived(
        [(f"STORAGES[{alias!r}] is", config.get("BACKEND", "")) for alias, config in storages.items()],
        TenantStorage,
        "whose names do not begin with their tenant: tenants would read and overwrite one another's files.",
        hint="Use databases.tenants.storage.TenantFileSystemStorage, or derive the storage from TenantStorage in "
        "the same module.",
        id="databases.E013",
    )


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each setting with which pages would fail, or users of one tenant be users of all."""
    found = _underived(
        [("SESSION_ENGINE is", settings.SESSION_ENGINE)],
        SessionStore,
        "whose sessions are valid on every tenant's host.",
        within=".SessionStore",
        hint="Set it to databases.tenants.sessions, or to a module whose SessionStore derives from "
        "databases.tenants.sessions.SessionStore.",
        id="databases.E014",
    )
    found += _underived(
        [("AUTHENTICATION_BACKENDS names", path) for path in settings.AUTHENTICATION_BACKENDS],
        MembersOnly,
        "which logs every user in at every tenant's host.",
        hint="Derive a backend from it and from databases.tenants.members.MembersOnly, which comes first. If it asks "
        "for the membership in another way, add databases.E020 to SILENCED_SYSTEM_CHECKS.",
        id="databases.E020",
    )
    domain, connections, resolver = settings.SITE_DOMAIN, settings.TENANT_CONNECTIONS, settings.TENANT_RESOLVER
    others = [
        (
            not domain or domain.startswith(".") or split_domain_port(domain) != (domain, ""),
            "databases.E006",
            f"SITE_DOMAIN is {domain!r}, so every page would be a 404.",
            "Set it to the domain whose sub-domains are the tenants, in lower case and without a port, such as "
            "example.com.",
        ),
        (
            connections < 1,
            "databases.E008",
            f"TENANT_CONNECTIONS is {connections}, and every query on a tenant needs a connection.",
            "Set it to at least the number of threads of a process.",
        ),
        (
            _imported(resolver) is None,
            "databases.E021",
            f"TENANT_RESOLVER is {resolver!r}, which cannot be imported, so every page would fail.",
            "Name a function of databases.tenants.resolvers, such as by_subdomain, or one of yours.",
        ),
        (
            MIDDLEWARE not in settings.MIDDLEWARE,
            "databases.E022",
            f"{MIDDLEWARE} is not in MIDDLEWARE, so no request has a tenant, and every user can log in at every host.",
            "Put it into DATABASE_MIDDLEWARE in databases.py.",
        ),
    ]
    return found + [checks.Error(problem, hint=hint, id=id) for wrong, id, problem, hint in others if wrong]


def _underived(
    paths: list[tuple[str, str | None]], base: type, problem: str, *, within: str = "", **about: Any
) -> list[checks.CheckMessage]:
    """Return an error for each class that does not derive from `base`.

    Arguments: the beginning of each message and its dotted path, the class, the end of the messages, what follows the
    paths, and the errors' hint and id.
    """
    return [
        checks.Error(f"{setting} {path!r}, {problem}", **about)
        for setting, path in paths
        if not (isinstance(found := _imported(f"{path or ''}{within}"), type) and issubclass(found, base))
    ]


def _imported(path: str) -> Any:
    """Return what a dotted path leads to, or `None` if that cannot be imported."""
    try:
        return import_string(path)
    except ImportError:
        return None
