"""A page of a tenant. It names no tenant: the host of the request decides whose rows these are."""

from django.http import HttpRequest, HttpResponse

from databases.tenants import current_tenant

from .models import DataPoint


def data_points(request: HttpRequest) -> HttpResponse:
    """List the names of the current tenant's data points. Raises `NoTenantError` on the central host."""
    names = DataPoint.objects.order_by("pk").values_list("name", flat=True)
    return HttpResponse(f"{current_tenant()}: {', '.join(names)}")
