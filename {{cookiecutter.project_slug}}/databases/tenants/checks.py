"""System checks of the tenants: models whose querysets would escape their tenant, and settings that lead nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.http.request import split_domain_port

from .models import TenantModel, TenantQuerySet


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_managers, checks.Tags.models)
    checks.register(check_site_domain)
    checks.register(check_servers)


def check_managers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each manager whose querysets could be built under one tenant and evaluated under another."""
    return [
        checks.Error(
            f"{manager} does not make TenantQuerySets: its querysets would answer from whatever tenant is current.",
            hint="Derive the manager from databases.tenants.models.TenantManager, or its queryset from TenantQuerySet "
            "there.",
            obj=model,
            id="databases.E005",
        )
        for model in apps.get_models()
        for manager in model._meta.managers
        if issubclass(model, TenantModel) and not _makes_tenant_querysets(manager)
    ]


def check_site_domain(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where no host could ever be one of ours."""
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


def check_servers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return a warning for each server with settings that tenants' connections leave out."""
    return [
        checks.Warning(
            f"ATOMIC_REQUESTS and pools are left out for tenants, and the server {name!r} asks for one.",
            hint="Open transactions with atomic_for(Model), and pool connections outside of Django.",
            id="databases.W001",
        )
        for name, config in settings.TENANT_SERVERS.items()
        if config.get("ATOMIC_REQUESTS") or "pool" in config.get("OPTIONS", {})
    ]


def _makes_tenant_querysets(manager: Any) -> bool:
    return issubclass(manager._queryset_class, TenantQuerySet)
