"""A tenant's rows in the admin, at the tenant's host. On the central host these pages answer 404."""

from django.contrib import admin

from databases.tenants.admin import TenantModelAdmin

from .models import DataPoint


@admin.register(DataPoint)
class DataPointAdmin(TenantModelAdmin):
    list_display = ("name", "value", "measured")
    search_fields = ("name",)
