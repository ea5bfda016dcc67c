"""Rows of a tenant in the admin, at the tenant's own host. On the central host these pages are a 404."""

from django.contrib import admin

from databases.tenants.admin import TenantModelAdmin

from .models import DataPoint


@admin.register(DataPoint)
class DataPointAdmin(TenantModelAdmin):
    list_display = ("name", "value", "measured")
    search_fields = ("name",)
