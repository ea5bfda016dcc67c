"""Settings of the project. What differs from one machine to another comes from the environment: see `.env.example`."""

from typing import Any

from databases import connections
# % if cookiecutter.__postgresql
from databases.embedded_postgres import url as embedded_postgres_url
# % endif

from .env import BASE_DIR, env

SITE_NAME = {{ cookiecutter.project_name | python_string }}

SECRET_KEY = env.str("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[".localhost", "127.0.0.1", "[::1]"] if DEBUG else [])

INSTALLED_APPS = [
    "databases",
    "notes",
    # % if cookiecutter.__mirror
    "accounts",
    "materials",
    # % endif
    # % if cookiecutter.__tenants
    "projects",
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
    # % if cookiecutter.__tenants
    "databases.tenants.middleware.TenantMiddleware",
    # % endif
    # % if cookiecutter.__replica
    "databases.replica.middleware.replica_middleware",
    # % endif
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # % if cookiecutter.__mirror
    # Last, so that it is the first to be asked about what a view has raised.
    "databases.mirror.middleware.MirrorDownMiddleware",
    # % endif
]

# Databases. The routers are asked in this order; each answers for its own and the primary takes what is left.

database_url = env.str("DATABASE_URL", default="")
# % if cookiecutter.primary_database == "sqlite"
development = connections.sqlite(BASE_DIR / "db.sqlite3") if DEBUG else None
DATABASES = {"default": connections.from_url(database_url, "DATABASE_URL", development)}
# % else
# % if cookiecutter.__postgresql
if DEBUG and not database_url:
    database_url = embedded_postgres_url(BASE_DIR / ".postgres", "{{ cookiecutter.project_slug }}")
# % endif
# % if cookiecutter.__mysql
if DEBUG and not database_url:
    # The server that compose.yaml starts.
    database_url = "mysql://root:development@127.0.0.1:3306/{{ cookiecutter.project_slug }}"
# % endif
DATABASES = {"default": connections.from_url(database_url, "DATABASE_URL")}
# % endif
# % if cookiecutter.__mirror
DATABASES["mirror"] = connections.read_only(
    connections.from_url(
        env.str("MIRROR_DATABASE_URL", default=""),
        "MIRROR_DATABASE_URL",
        connections.beside(DATABASES["default"], "demo_mirror") if DEBUG else None,
    )
)
# % endif
# % if cookiecutter.__replica
replica_urls = env.list("REPLICA_DATABASE_URLS", default=[])
for number, url in enumerate(replica_urls, start=1):
    alias = "replica" if number == 1 else f"replica_{number}"
    DATABASES[alias] = connections.replica(connections.from_url(url, "REPLICA_DATABASE_URLS"))
if DEBUG and not replica_urls:
    # Development has no replica, but reads take the way they take in production.
    DATABASES["replica"] = {**DATABASES["default"]}
# % endif
# % if cookiecutter.__tenants
SITE_DOMAIN = env.str("SITE_DOMAIN", default="localhost") if DEBUG else env.str("SITE_DOMAIN")
TENANT_SERVERS = {
    "default": connections.from_url(
        env.str("TENANT_DATABASE_URL", default=""),
        "TENANT_DATABASE_URL",
        connections.beside(DATABASES["default"], "{name}") if DEBUG else None,
    )
}
for pair in env.list("TENANT_SERVERS", default=[]):
    server, _, url = pair.partition("=")
    TENANT_SERVERS[server] = connections.from_url(url, "TENANT_SERVERS")
TENANT_SERVERS = {server: connections.tenant_server(config) for server, config in TENANT_SERVERS.items()}
# At most this many connections to tenants are open at a time in each process, in use or waiting to be used again.
TENANT_CONNECTIONS = 64
# For so long a process believes what it has read of a tenant in the registry: its status, host, place and password.
TENANT_CACHE_SECONDS = 1
# % if cookiecutter.__managed_tenants
# By app, the oldest migration that this release works with: a tenant that has it is served before `migrate_tenants`.
TENANT_OLDEST_MIGRATIONS: dict[str, str | None] = {}
# % endif
# Keys of `Fernet.generate_key()`, newest first: passwords of tenants' own users are encrypted with them.
TENANT_PASSWORD_KEYS = env.list("TENANT_PASSWORD_KEYS", default=[])
# % if cookiecutter.__managed_tenants
# Where the admin puts archives of tenants; commands are told.
TENANT_ARCHIVES = env.str("TENANT_ARCHIVES", default="")
# % endif
DEFAULT_EXCEPTION_REPORTER_FILTER = "databases.tenants.error_reports.DatabaseExceptionReporterFilter"
# % endif

DATABASE_ROUTERS = [
    # % if cookiecutter.__mirror
    "databases.mirror.router.MirrorRouter",
    # % endif
    # % if cookiecutter.__tenants
    "databases.tenants.router.TenantRouter",
    # % endif
    # % if cookiecutter.__replica
    "databases.replica.router.ReplicaRouter",
    # % endif
    "databases.primary.PrimaryRouter",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# % if cookiecutter.__registry
# A write that an `atomic()` on another database only seems to cover fails here, while the code is written.
DETECT_UNCOVERED_WRITES = DEBUG
# % endif
# % if cookiecutter.__mirror
# What `capture_seeds` does with a column, as app.model.field: "blank", "fake" or "keep". What looks secret it blanks.
MIRROR_SEED_COLUMNS: dict[str, str] = {"accounts.member.name": "fake"}
# % endif
# % if cookiecutter.__replica
# A replica that is further behind is not read from; one that is not, or does not answer, is tried again after a while.
REPLICA_MAX_LAG_SECONDS = 10
REPLICA_RETRY_SECONDS = 10
# How long after a write its visitor reads from the primary where a replica cannot tell whether it has that write yet.
REPLICA_PIN_SECONDS = 5
# % endif

# Tests run with `config.settings_test`; this one says so to whoever starts them with the settings of production.
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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
# % if cookiecutter.__tenants

# Everything that outlives a request says whose it is: sessions, cache entries, files, log lines.
SESSION_ENGINE = "databases.tenants.sessions"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "databases.tenants.cache.make_key",
    },
}
STORAGES = {
    "default": {"BACKEND": "databases.tenants.storage.TenantFileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tenant": {"()": "databases.tenants.logs.TenantFilter"}},
    "formatters": {"tenant": {"format": "%(levelname)s %(name)s [%(tenant)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["tenant"], "formatter": "tenant"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Named without a handler, so that Django's own does not write each line a second time.
    "loggers": {"django": {"level": "INFO"}},
}
# % endif
