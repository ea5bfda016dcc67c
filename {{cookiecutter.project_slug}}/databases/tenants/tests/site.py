"""A site for the tests of this folder: its pages do not depend on the project's own urls, middleware or caches."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.test import override_settings
from django.urls import path

from databases.tenants import settings as tenant_settings
from databases.tenants.models import Membership, Tenant
from databases.tenants.tests.points.views import data_points
from databases.tests import users

PAGE = "/data-points/"
urlpatterns = [path("admin/", admin.site.urls), path("data-points/", data_points)]

#: Decorates a test case. A module with more pages adds `override_settings(ROOT_URLCONF=__name__)` above it.
own_site = override_settings(
    ALLOWED_HOSTS=[".testserver"],
    AUTHENTICATION_BACKENDS=tenant_settings.AUTHENTICATION_BACKENDS,
    CACHES=tenant_settings.CACHES,
    # Tests read texts of Django's.
    LANGUAGE_CODE="en",
    MIDDLEWARE=[
        *settings.DATABASE_MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    MEDIA_URL="/media/",
    ROOT_URLCONF=__name__,
    SESSION_COOKIE_SECURE=False,
    SESSION_ENGINE=tenant_settings.SESSION_ENGINE,
    STORAGES={
        "default": {"BACKEND": "databases.tenants.storage.TenantFileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
)


def make_superuser() -> Any:
    """Return a new superuser who is a member of all tenants."""
    user = users.make_superuser()
    Membership.objects.bulk_create(Membership(user=user, tenant=tenant) for tenant in Tenant.objects.all())
    return user
