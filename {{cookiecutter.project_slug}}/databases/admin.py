"""The registry of tenants in the admin. Tenants are made by `create_tenant`, which makes their database ready too."""

from __future__ import annotations

from collections.abc import Callable
# % if cookiecutter.__managed_tenants
from pathlib import Path
from typing import Any
# % endif

from django import forms
# % if cookiecutter.__managed_tenants
from django.conf import settings
# % endif
from django.contrib import admin, messages
# % if cookiecutter.__managed_tenants
from django.contrib.admin.helpers import ActionForm
# % endif
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Tenant
# % if cookiecutter.__managed_tenants
from .tenants.archive import archive, restore
from .tenants.credentials import rotate_all
# % endif
from .tenants.errors import EXPECTED, one_line
from .tenants.lifecycle import rename_tenant
# % if cookiecutter.__managed_tenants
from .tenants.migrating import migrate_tenant
from .tenants.move import move
from .tenants.states import TenantError, resume, suspend
# % else
from .tenants.states import resume, suspend
# % endif


class TenantForm(forms.ModelForm):
    """Changes a tenant's host, as `rename_tenant` does."""

    class Meta:
        model = Tenant
        fields = ("host",)

    def clean_host(self) -> str:
        host: str = self.cleaned_data["host"]
        try:
            # Here, so that a refusal is a message at the field.
            return rename_tenant(self.instance.slug, host).host
        except ValueError as error:
            raise ValidationError(str(error)) from error
# % if cookiecutter.__managed_tenants


class TenantActionForm(ActionForm):
    """Asks for the server that `move` needs, and `restore` takes."""

    server = forms.CharField(required=False, label="Server", widget=forms.Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "")] + [(name, name) for name in settings.TENANT_SERVERS]
        self.fields["server"].widget = forms.Select(choices=choices)
# % endif


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    form = TenantForm
    # % if cookiecutter.__managed_tenants
    action_form = TenantActionForm
    # % endif
    list_display = ("slug", "status", "host", "server", "database")
    list_filter = ("status", "server")
    readonly_fields = ("slug", "status", "server", "database", "created")
    # % if cookiecutter.__managed_tenants
    actions = ("suspend", "resume", "migrate", "rotate_credentials", "archive", "restore", "move")
    # % else
    actions = ("suspend", "resume")
    # % endif

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False

    @admin.action(description="Suspend: pages answer 503", permissions=["change"])
    def suspend(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, suspend)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, resume)
    # % if cookiecutter.__managed_tenants

    @admin.action(description="Migrate", permissions=["change"])
    def migrate(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, _migrate)

    @admin.action(description="Rotate credentials", permissions=["change"])
    def rotate_credentials(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        slugs = [tenant.slug for tenant in tenants]
        lines: list[str] = []
        failed = rotate_all(slugs, lines.append)
        for slug, line in zip(slugs, lines, strict=True):
            self.message_user(request, line, messages.ERROR if slug in failed else messages.SUCCESS)

    @admin.action(description="Archive into the folder TENANT_ARCHIVES", permissions=["change"])
    def archive(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        # Not a folder from the request: who may change tenants must not come to write wherever this process may.
        if not settings.TENANT_ARCHIVES:
            self.message_user(request, "TENANT_ARCHIVES is not set: it names the folder for archives.", messages.ERROR)
            return
        self.for_each(request, tenants, lambda slug: archive(slug, Path(settings.TENANT_ARCHIVES)))

    @admin.action(description="Restore from the archive, to the server if one is chosen", permissions=["change"])
    def restore(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, lambda slug: restore(slug, server=request.POST.get("server", "")))

    @admin.action(description="Move to the server", permissions=["change"])
    def move(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, lambda slug: move(slug, request.POST.get("server", "")))
    # % endif

    def for_each(self, request: HttpRequest, tenants: QuerySet[Tenant], work: Callable[[str], object]) -> None:
        """Do the work for each tenant, and tell of each how it went."""
        for tenant in tenants:
            try:
                work(tenant.slug)
            except EXPECTED as error:
                self.message_user(request, f"{tenant.slug}: {one_line(error)}", messages.ERROR)
            else:
                self.message_user(request, f"{tenant.slug}: done", messages.SUCCESS)
# % if cookiecutter.__managed_tenants


def _migrate(slug: str) -> None:
    outcome = migrate_tenant(slug)
    if outcome.error:
        raise TenantError(outcome.error)
# % endif
