"""Mirrored models in the admin: to look at, whatever the user may do, and without counting tables of any size."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Counts no further than `LIMIT`: counting a whole table reads all of it."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        # The slice is a LIMIT inside of the COUNT. Without an order, which would sort all of it first.
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT].count())


class MirrorModelAdmin(admin.ModelAdmin):
    """Shows a mirrored model to users with Django's permission to view it; nobody can add, change or delete.

    `search_fields` and `list_filter` are yours to choose: on a large table, columns with an index.
    """

    ordering = ("pk",)
    paginator = BoundedPaginator
    show_full_result_count = False
    # These would count the whole table once for every choice of a filter.
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
    # Django opens a transaction before it asks for permission, and the router has no database for one: a 500.
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        raise PermissionDenied
