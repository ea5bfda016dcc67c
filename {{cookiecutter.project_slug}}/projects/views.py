"""A page with the rows of one tenant. The views name no tenant: the host of the request decides."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from databases.tenants import current_tenant
from notes.views import start

from .models import DataPoint


def home(request: HttpRequest) -> HttpResponse:
    """Show the tenant's page on its host, and the start page on the central host."""
    return data_points(request) if request.tenant else start(request)  # type: ignore[attr-defined]


def data_points(request: HttpRequest) -> HttpResponse:
    """List the data points of the current tenant. On the central host, `NoTenantError` becomes a 404."""
    # list() here, so that the view queries and not the template.
    context = {"tenant": current_tenant(), "data_points": list(DataPoint.objects.order_by("pk"))}
    return render(request, "projects/data_points.html", {**context, "site_name": settings.SITE_NAME})
