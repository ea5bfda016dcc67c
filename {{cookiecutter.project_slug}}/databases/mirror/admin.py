"""Mirrored models in the admin: read only for every user, and without counts of whole tables."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Counts at most `LIMIT` rows: counting a large table reads all of it."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        # The slice becomes a LIMIT inside the COUNT. An ORDER BY would sort the whole table first.
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT].count())


class MirrorModelAdmin(admin.ModelAdmin):
    """Shows a mirrored model to users with Django's permission to view it. No user can add, change or delete.

    Choose `search_fields` and `list_filter` yourself: on a large table, columns with an index.
    """

    ordering = ("pk",)
    paginator = BoundedPaginator
    show_full_result_count = False
    # Facets would count the whole table once for each choice of a filter.
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and context["cl"].result_count >= BoundedPaginator.LIMIT:
            context["subtitle"] = f"The first {BoundedPaginator.LIMIT}; search or filter for others"
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _refuse_writes(request)
        return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _refuse_writes(request)
        return super().delete_view(request, *args, **kwargs)


def _refuse_writes(request: HttpRequest) -> None:
    # Django opens a transaction before it checks permissions, and the router refuses it: the answer would be a 500.
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        raise PermissionDenied
