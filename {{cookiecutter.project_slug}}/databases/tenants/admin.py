"""The base of the admins of tenants' models: what was done to a tenant's rows is told at that tenant's host alone.

Django notes it in one table of the primary, by the rows' keys, and every tenant may have a row of the same key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from .context import current_tenant


class TenantModelAdmin(admin.ModelAdmin):
    """Puts the tenant before the keys that it notes, and nothing of the rows but their keys and changed fields."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _note(request, [obj], ADDITION, message)[0]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _note(request, [obj], CHANGE, message)[0]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> list[LogEntry]:
        return _note(request, queryset, DELETION)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was noted of a row under the current tenant; Django's own looks by the key alone."""
        entries = LogEntry.objects.filter(
            object_id=_key(unquote(object_id)), content_type=get_content_type_for_model(self.model)
        )
        paginator = Paginator(entries.select_related("user").order_by("action_time"), 100)
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        ours = {
            "action_list": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "pagination_required": paginator.num_pages > 1,
        }
        return super().history_view(request, object_id, {**ours, **(extra_context or {})})


def _note(request: HttpRequest, rows: Iterable[Model], flag: int, message: Any = "") -> list[LogEntry]:
    user: Any = request.user
    # Not by Django's manager, which takes the key as it is, and what the row is called.
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
