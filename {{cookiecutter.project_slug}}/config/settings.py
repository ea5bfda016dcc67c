"""Settings of the project: plain Django. Everything about databases is in `databases.py` beside this file.

Whatever differs between machines comes from the environment: see `.env.example`.
"""

from typing import Any
# % if cookiecutter.django_version != "5.2"

from django.utils.csp import CSP
# % endif

from databases.environment import matching
from databases.logs import log_settings

from .databases import *  # noqa: F403
from .databases import DATABASE_APPS, DATABASE_MIDDLEWARE, FILE_STORAGE, LOG_FIELDS
# % if cookiecutter.django_version == "5.2"
from .env import BASE_DIR, DEBUG, email_url, env, is_on
# % else
from .env import BASE_DIR, DEBUG, env, is_on, mailer
# % endif

SITE_NAME = {{ cookiecutter.project_name | python_string }}

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = [
    matching("ALLOWED_HOSTS", each, r"\*|\.?[\w.-]+|\[[\da-f:.]+\]", "hosts such as example.com and .example.com")
    for each in env.list("ALLOWED_HOSTS", default=[".localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
]

INSTALLED_APPS = [
    *DATABASE_APPS,
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
    "users",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    # First: load balancers ask for /livez and /readyz by IP, and without HTTPS.
    "databases.health.middleware",
    "databases.logs.middleware",
    "django.middleware.security.SecurityMiddleware",
    # % if cookiecutter.django_version != "5.2"
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    # % endif
    # While DEBUG is on, `runserver` serves static files itself.
    *([] if DEBUG else ["whitenoise.middleware.WhiteNoiseMiddleware"]),
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
STORAGES = {
    "default": {"BACKEND": FILE_STORAGE},
    "staticfiles": {
        # The second one adds a digest to the names of files, so that browsers may keep them. It needs `collectstatic`.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = is_on("SECURE_SSL_REDIRECT", env.str("SECURE_SSL_REDIRECT", default="off" if DEBUG else "on"))
# How long browsers refuse to visit the site without HTTPS. An hour, because they cannot be told to forget it.
hsts_seconds = env.str("SECURE_HSTS_SECONDS", default="0" if DEBUG else "3600")
SECURE_HSTS_SECONDS = int(matching("SECURE_HSTS_SECONDS", hsts_seconds, "[0-9]+", "a number of seconds, such as 3600"))
# Lists of sites that browsers ship accept no site with less than a year above.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
# Any client can send this header, so it counts only where a proxy in front of this site sets or removes it.
secure_header = env.str("SECURE_PROXY_SSL_HEADER", default="")
if matching("SECURE_PROXY_SSL_HEADER", secure_header, "[a-z0-9-]*", "the name of a header, such as X-Forwarded-Proto"):
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{secure_header.upper().replace('-', '_')}", "https")
# % if cookiecutter.django_version != "5.2"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}
# % endif

LOGGING = log_settings(env.str("LOG_FORMAT", default="text"), **LOG_FIELDS)
# Error reports go to these addresses.
ADDRESS, expected = r"[^\s,]+@[^\s,]+", "addresses such as admin@example.com"
# % if cookiecutter.django_version == "5.2"
ADMINS = [("", matching("ADMINS", each, ADDRESS, expected)) for each in env.list("ADMINS", default=[])]
# % else
ADMINS = [matching("ADMINS", each, ADDRESS, expected) for each in env.list("ADMINS", default=[])]
# % endif
SERVER_EMAIL = DEFAULT_FROM_EMAIL = env.str("SERVER_EMAIL", default="root@localhost")
matching("SERVER_EMAIL", SERVER_EMAIL, rf"{ADDRESS}|.+ <{ADDRESS}>", "an address such as app@example.com")
# % if cookiecutter.django_version == "5.2"
vars().update(email_url(), EMAIL_TIMEOUT=10)
# % else
MAILERS = {"default": mailer()}
# % endif
