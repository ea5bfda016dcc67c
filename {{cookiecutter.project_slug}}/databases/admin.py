"""The registry of tenants in the admin. Tenants are made by `create_tenant`, which makes their database ready too."""

from django.contrib import admin
from django.http import HttpRequest

from .models import Tenant


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    list_display = ("slug", "status", "server", "database")
    list_filter = ("status", "server")
    readonly_fields = ("slug", "server", "database", "created")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False
