"""Rows of a tenant in the admin, at the tenant's own host; on the central host these pages are a 404."""

from django.contrib import admin

from .models import DataPoint


@admin.register(DataPoint)
class DataPointAdmin(admin.ModelAdmin):
    list_display = ("name", "value", "measured")
    search_fields = ("name",)
