"""A site of the tests' own pages: with the layer's middleware, and without anything else of the user's settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.test import override_settings


def plain_site(urlconf: str, *middleware: str, **changes: Any) -> override_settings:
    """Return the settings of a site with these URLs, and with more middleware after the layer's."""
    template = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
    plain = {
        "ALLOWED_HOSTS": ["*"],
        "LANGUAGE_CODE": "en-us",
        "MIDDLEWARE": [*settings.DATABASE_MIDDLEWARE, *middleware],
        "ROOT_URLCONF": urlconf,
        # Where there are tenants, this is the central host.
        "SITE_DOMAIN": "example.com",
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        "TEMPLATES": [template],
    }
    return override_settings(**{**plain, **changes})
