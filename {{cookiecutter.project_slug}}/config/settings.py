"""Settings of the project: plain Django. Everything about databases is in `databases.py` beside this file.

Whatever differs between machines comes from the environment: see `.env.example`.
"""

from typing import Any

from .databases import *  # noqa: F403
from .databases import DATABASE_APPS, DATABASE_MIDDLEWARE
from .env import BASE_DIR, DEBUG, env

SITE_NAME = {{ cookiecutter.project_name | python_string }}

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[".localhost", "127.0.0.1", "[::1]"] if DEBUG else [])

INSTALLED_APPS = [
    *DATABASE_APPS,
    "users",
    "notes",  # example
    # % if cookiecutter.__secondary
    "events",  # example
    # % endif
    # % if cookiecutter.__mirror
    "accounts",  # example
    "materials",  # example
    # % endif
    # % if cookiecutter.__tenants
    "projects",  # example
    # % endif
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Before any middleware that reads or writes a database.
    *DATABASE_MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Tests use `config.settings_test`; this runner refuses to run them with these settings.
TEST_RUNNER = "databases.testing.runner.RefusingRunner"

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"
# The page that DEBUG shows and the mail to admins hide passwords of databases.
DEFAULT_EXCEPTION_REPORTER_FILTER = "databases.error_reports.DatabaseExceptionReporterFilter"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
