"""The admin of the registry, and the base class of admins of tenants' models.

Django logs changes in one table of the primary by the rows' keys, and rows of different tenants may have the same key.
A `TenantModelAdmin` keeps their logs apart. Tenants are added by `create_tenant`, which makes their database too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from databases.migrating import one_line
from databases.tenants.commands import EXPECTED
from databases.tenants.context import current_tenant, tenant_or_none
from databases.tenants.lifecycle import refuse_host, rename_tenant
from databases.tenants.models import Domain, Membership, Tenant
from databases.tenants.transitions import resume, suspend


class TenantForm(forms.ModelForm):
    """Changes a tenant's host, as `rename_tenant` does."""

    class Meta:
        model = Tenant
        fields = ("host",)

    def clean_host(self) -> str:
        host: str = self.cleaned_data["host"]
        try:
            refuse_host(self.instance.slug, host)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return host


class CentralModelAdmin(admin.ModelAdmin):
    """The base class of admins that only the central host has. At a tenant's host no user has their permissions."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenant_or_none() is None and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return tenant_or_none() is None and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenant_or_none() is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return tenant_or_none() is None and super().has_delete_permission(request, obj)


@admin.register(Domain)
class DomainAdmin(CentralModelAdmin):
    list_display = ("name", "tenant", "is_verified")
    list_filter = ("is_verified",)
    search_fields = ("name", "tenant__slug")


@admin.register(Membership)
class MembershipAdmin(CentralModelAdmin):
    list_display = ("user", "tenant", "role")
    list_filter = ("tenant",)
    raw_id_fields = ("user",)


@admin.register(Tenant)
class TenantAdmin(CentralModelAdmin):
    form = TenantForm
    list_display = ("slug", "status", "host", "server", "database")
    list_filter = ("status", "server")
    readonly_fields = ("slug", "status", "server", "database", "created")
    actions = ("suspend", "resume")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        # Not obj.save(): it would undo what commands have changed since the form read its row.
        rename_tenant(obj.slug, obj.host)

    @admin.action(description="Suspend: pages answer 503", permissions=["change"])
    def suspend(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, suspend)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        self.for_each(request, tenants, resume)

    def for_each(self, request: HttpRequest, tenants: QuerySet[Tenant], work: Callable[[str], object]) -> None:
        """Do the work for each tenant, and show a message about each."""
        for tenant in tenants:
            try:
                work(tenant.slug)
            except EXPECTED as error:
                self.message_user(request, f"{tenant.slug}: {one_line(error)}", messages.ERROR)
            else:
                self.message_user(request, f"{tenant.slug}: done", messages.SUCCESS)


class TenantModelAdmin(admin.ModelAdmin):
    """Logs `tenant/key` and the names of changed fields. The primary learns no other data of a row."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _log(request, [obj], ADDITION, message)[0]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _log(request, [obj], CHANGE, message)[0]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> list[LogEntry]:
        return _log(request, queryset, DELETION)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the log entries of a row of the current tenant. Django's own page selects by the key only."""
        entries = LogEntry.objects.filter(
            object_id=_key(unquote(object_id)), content_type=get_content_type_for_model(self.model)
        )
        paginator = Paginator(entries.select_related("user").order_by("action_time"), 100)
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        context = {
            "action_list": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "pagination_required": paginator.num_pages > 1,
        }
        return super().history_view(request, object_id, {**context, **(extra_context or {})})


def _log(request: HttpRequest, rows: Iterable[Model], flag: int, message: Any = "") -> list[LogEntry]:
    user: Any = request.user
    # Not with Django's manager, which logs the bare key and the `str` of the row.
    return [
        LogEntry.objects.create(
            user=user,
            content_type=get_content_type_for_model(row),
            object_id=_key(row.pk),
            object_repr=_key(row.pk)[:200],
            action_flag=flag,
            change_message=json.dumps(message) if isinstance(message, list) else message,
        )
        for row in rows
    ]


def _key(key: object) -> str:
    return f"{current_tenant()}/{key}"
