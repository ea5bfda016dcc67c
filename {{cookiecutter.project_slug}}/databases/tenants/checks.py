"""System checks of the tenants: models and admins that would escape their tenant, and settings that lead nowhere."""

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
    checks.register(check_admins, checks.Tags.admin)
    checks.register(check_site_domain)
    checks.register(check_connections)


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


def check_admins(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each admin of a tenant model whose history would show one tenant's changes to the others."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    # Here: to import the admin's models is an error where it is not installed.
    from django.contrib.admin.sites import all_sites

    from .admin import TenantModelAdmin

    return [
        checks.Error(
            f"{type(model_admin).__name__} notes changes by their keys, which are the same in every tenant.",
            hint="Derive it from databases.tenants.admin.TenantModelAdmin.",
            obj=model,
            id="databases.E009",
        )
        for site in all_sites
        for model, model_admin in site._registry.items()
        if issubclass(model, TenantModel) and not isinstance(model_admin, TenantModelAdmin)
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


def check_connections(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where no connection to a tenant could stay within the budget."""
    if settings.TENANT_CONNECTIONS >= 1:
        return []
    return [
        checks.Error(
            f"TENANT_CONNECTIONS is {settings.TENANT_CONNECTIONS}, and every query on a tenant takes a connection.",
            hint="Set it to at least the number of threads of a process; more than that stay open to be used again.",
            id="databases.E008",
        )
    ]


def _makes_tenant_querysets(manager: Any) -> bool:
    return issubclass(manager._queryset_class, TenantQuerySet)
