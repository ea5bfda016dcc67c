"""A site for the tests of this folder: its pages do not depend on the project's own urls, middleware or caches."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.urls import path

from databases.tenants import settings as tenant_settings
from databases.tenants.tests.points.views import data_points

PAGE = "/data-points/"
urlpatterns = [path("admin/", admin.site.urls), path("data-points/", data_points)]

#: Decorates a test case. A module with more pages adds `override_settings(ROOT_URLCONF=__name__)` above it.
own_site = override_settings(
    ALLOWED_HOSTS=[".testserver"],
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
    STORAGES=tenant_settings.STORAGES,
)


def make_superuser() -> Any:
    """Return a new superuser, of whatever model the project has for its users."""
    model: Any = get_user_model()
    fields = (model.USERNAME_FIELD, *model.REQUIRED_FIELDS)
    return model._default_manager.create_superuser(**dict.fromkeys(fields, "ann@example.com"), password=None)
