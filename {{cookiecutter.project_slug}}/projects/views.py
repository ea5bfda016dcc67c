"""A page with the rows of one tenant. The view names no tenant: the host of the request decides."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from databases.tenants import current_tenant

from .models import DataPoint


def data_points(request: HttpRequest) -> HttpResponse:
    """List the data points of the current tenant. On the central host, `NoTenantError` becomes a 404."""
    # list() here, so that the view queries and not the template.
    context = {"tenant": current_tenant(), "data_points": list(DataPoint.objects.order_by("pk"))}
    return render(request, "projects/data_points.html", {**context, "site_name": settings.SITE_NAME})
