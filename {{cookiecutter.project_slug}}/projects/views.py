"""A page of a tenant. It names no tenant: the host of the request has decided whose rows these are."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from databases.tenants import current_tenant

from .models import DataPoint


def data_points(request: HttpRequest) -> HttpResponse:
    """List the data points of the current tenant. Raises `NoTenantError`, which becomes a 404, on the central host."""
    # list() here: what is sent after the view must not query any more.
    context = {"tenant": current_tenant(), "data_points": list(DataPoint.objects.order_by("pk"))}
    return render(request, "projects/data_points.html", {**context, "site_name": settings.SITE_NAME})
