"""Everything about this project's databases: which ones there are, and which app lives in which.

Addresses come from the environment: see `.env.example`. `databases/README.md` explains the layer behind this file.
"""

from databases import environment
# % if cookiecutter.__postgresql
from databases.embedded_postgres import url as embedded_postgres_url
# % endif
# % if cookiecutter.__fleet
from databases.fleet.settings import fleet_servers
# % endif
# % if cookiecutter.__mirror
from databases.mirror.settings import mirror_database
# % endif
# % if cookiecutter.__replicas
from databases.replicas.settings import replica_databases
# % endif
# % if cookiecutter.__tenants
from databases.tenants.entries import TenantDatabases
from databases.tenants.settings import *  # noqa: F403
from databases.tenants.settings import tenant_server
# % endif

# % if cookiecutter.__mysql
from .env import DEBUG, env
# % else
from .env import BASE_DIR, DEBUG, env
# % endif

# Which database each app lives in. Apps that are not named here live in "default".
APP_DATABASES: dict[str, str] = {
    # % if cookiecutter.__secondary
    "events": "secondary",  # example
    # % endif
    # % if cookiecutter.__mirror
    "accounts": "mirror",  # example
    "materials": "mirror",  # example
    # % endif
    # % if cookiecutter.__tenants
    "projects": "tenant",  # example
    # % endif
    # Your own apps.
}

# Each router answers for its own apps. The last one knows the project's own databases, and takes the rest.
DATABASE_ROUTERS = [
    # % if cookiecutter.__mirror
    "databases.mirror.router.MirrorRouter",
    # % endif
    # % if cookiecutter.__external
    "databases.tenants.external.router.ExternalTenantRouter",
    # % elif cookiecutter.__managed
    "databases.tenants.router.TenantRouter",
    # % endif
    # % if cookiecutter.__replicas
    "databases.replicas.router.ReplicaRouter",
    # % endif
    "databases.own.OwnRouter",
]
DATABASE_APPS = [
    "databases",
    # % if cookiecutter.__foreign
    "databases.foreign",
    # % endif
    # % if cookiecutter.__mirror
    "databases.mirror",
    # % endif
    # % if cookiecutter.__secondary
    "databases.secondary",
    # % endif
    # % if cookiecutter.__replicas
    "databases.replicas",
    # % endif
    # % if cookiecutter.__fleet
    "databases.fleet",
    # % endif
    # % if cookiecutter.__tenants
    "databases.tenants",
    # % endif
]
# % if cookiecutter.__outages or cookiecutter.__replicas or cookiecutter.__tenants
DATABASE_MIDDLEWARE: list[str] = [
    # % if cookiecutter.__outages
    "databases.middleware.DatabaseDownMiddleware",
    # % endif
    # % if cookiecutter.__tenants
    "databases.tenants.middleware.TenantMiddleware",
    # % endif
    # % if cookiecutter.__replicas
    "databases.replicas.middleware.ReplicaMiddleware",
    # % endif
]
# % else
DATABASE_MIDDLEWARE: list[str] = []
# % endif
# % if not cookiecutter.__tenants
# Where uploaded files are kept.
FILE_STORAGE = "django.core.files.storage.FileSystemStorage"
# What log lines have besides the id of their request: by name, the filter that adds it.
LOG_FIELDS: dict[str, str] = {}
# % endif
# While DEBUG is on, a write raises an error if only an `atomic()` on another database is open around it.
DETECT_UNCOVERED_WRITES = DEBUG
# Tests use `settings_test.py`; this runner refuses to run them with these settings.
TEST_RUNNER = "databases.testing.runner.RefusingRunner"
# The page that DEBUG shows and the mail to admins hide passwords of databases and of URLs.
DEFAULT_EXCEPTION_REPORTER = "databases.error_reports.DatabaseExceptionReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "databases.error_reports.DatabaseExceptionReporterFilter"

# The databases that this project writes and migrates, in the order in which it migrates them.
# % if cookiecutter.__secondary
OWN_DATABASES = ["default", "secondary"]
# % else
OWN_DATABASES = ["default"]
# % endif
# The primary.
# % if cookiecutter.primary_database == "sqlite"
development = environment.sqlite(BASE_DIR / "db.sqlite3") if DEBUG else None
DATABASES = {"default": environment.from_url(env.str("DATABASE_URL", default=""), "DATABASE_URL", development)}
# % elif cookiecutter.__postgresql
database_url = env.str("DATABASE_URL", default="")
if DEBUG and not database_url:
    database_url = embedded_postgres_url(BASE_DIR / ".postgres", "{{ cookiecutter.project_slug }}")
DATABASES = {"default": environment.from_url(database_url, "DATABASE_URL")}
# % else
database_url = env.str("DATABASE_URL", default="")
if DEBUG and not database_url:
    # The server that compose.yaml starts.
    database_url = "mysql://root:development@127.0.0.1:3306/{{ cookiecutter.project_slug }}"
DATABASES = {"default": environment.from_url(database_url, "DATABASE_URL")}
# % endif
# `/readyz` answers 503 while one of these does not answer. It reports the others, which some pages can do without.
REQUIRED_DATABASES = ["default"]
# % if cookiecutter.__secondary

# The secondary. For one more database of your own, copy these lines, and add its alias to OWN_DATABASES.
DATABASES["secondary"] = environment.from_url(
    env.str("SECONDARY_DATABASE_URL", default=""),
    "SECONDARY_DATABASE_URL",
    environment.beside(DATABASES["default"], "{{ cookiecutter.project_slug }}_secondary") if DEBUG else None,
)
# % endif
# % if cookiecutter.__mirror

# The mirror: another application's database, read only. In development a demo database stands in for it.
DATABASES["mirror"] = mirror_database(
    env.str("MIRROR_DATABASE_URL", default=""),
    environment.beside(DATABASES["default"], "demo_mirror") if DEBUG else None,
)
# What `capture_seeds` does with columns. By default it makes up all text, JSON, binary data and addresses, and keeps
# numbers and dates.
MIRROR_SEED_COLUMNS: dict[str, str] = {
    # app.model.field, with wildcards: "keep" keeps a column, "fake" makes up a number or a date.
    "materials.subject.name": "keep",  # example
    "accounts.member.joined": "fake",  # example
}
# % endif
# % if cookiecutter.__replicas

# Seconds for which a request waits for a replica that does not answer, at most. Then the primary answers.
REPLICA_ANSWER_SECONDS = 1
# Replicas of the primary. In development the primary stands in for one, so that reads take the same way.
DATABASES |= replica_databases(
    env.list("REPLICA_DATABASE_URLS", default=[]), {**DATABASES["default"]} if DEBUG else None, REPLICA_ANSWER_SECONDS
)
# A replica that lags more is not used.
REPLICA_MAX_LAG_SECONDS = 10
# Seconds for which a visitor who wrote reads the primary, if a replica cannot tell whether it has that write.
REPLICA_PIN_SECONDS = 5
# Whether no page shows older rows than the page before. That takes a cookie for each visitor of several replicas.
REPLICA_MONOTONIC_READS = True
# Apps and models (app.Model) that are never read from a replica, besides users, permissions, sessions, content types.
READ_FROM_PRIMARY: list[str] = []
# % endif
# % if cookiecutter.__tenants

# Tenants: one database each, connected on demand, served at <slug>.SITE_DOMAIN. No line below lists them.
DATABASES = TenantDatabases(DATABASES)
SITE_DOMAIN = env.str("SITE_DOMAIN", default="localhost") if DEBUG else env.str("SITE_DOMAIN")
environment.matching("SITE_DOMAIN", SITE_DOMAIN, "[a-z0-9][a-z0-9.-]*", "a domain such as example.com")
# The function that finds the tenant of a request: by_subdomain, by_domain, by_path, or one of yours.
TENANT_RESOLVER = "databases.tenants.resolvers.by_subdomain"
# % if cookiecutter.__fleet
TENANT_SERVERS = fleet_servers(
    tenant_server(
        env.str("TENANT_DATABASE_URL", default=""),
        "TENANT_DATABASE_URL",
        environment.beside(DATABASES["default"], "{name}") if DEBUG else None,
    ),
    env.list("TENANT_SERVERS", default=[]),
)
# How many tenants each server is meant for: 1000 if it is not named here. With 0 it gets no new ones, and `fleet plan`
# moves the others away.
TENANT_ROOM: dict[str, int] = {}
# % else
TENANT_SERVERS = {
    "default": tenant_server(
        env.str("TENANT_DATABASE_URL", default=""),
        "TENANT_DATABASE_URL",
        environment.beside(DATABASES["default"], "{name}") if DEBUG else None,
    )
}
# % endif
# % if cookiecutter.__credentials
# Keys of `Fernet.generate_key()`, newest first. They encrypt the passwords of tenants' database users. The one here is
# for development, and no secret.
TENANT_PASSWORD_KEYS = [
    environment.matching("TENANT_PASSWORD_KEYS", key, r"[\w-]{43}=", "keys of Fernet.generate_key()", is_secret=True)
    for key in env.list(
        "TENANT_PASSWORD_KEYS", default=["Zm9yIGRldmVsb3BtZW50LCBub3QgYSBzZWNyZXQhISE="] if DEBUG else []
    )
]
# % endif
# % if cookiecutter.__external
# The module that checks a tenant's database. Its owner creates and migrates it.
TENANT_PROVISIONING = "databases.tenants.external.provision"
# % else
# The module that creates and migrates a tenant's database.
TENANT_PROVISIONING = "databases.tenants.managed.provision"
# % endif
# The most connections to tenants that a process has, in use and idle together. A request waits for one for at most
# TENANT_CONNECTION_WAIT seconds, and then answers 503.
TENANT_CONNECTIONS = 64
TENANT_CONNECTION_WAIT = 5
# Seconds for which a process caches a tenant's registry row: its status, host, address and password.
TENANT_CACHE_SECONDS = 1
# Seconds for which a request waits for the registry. Then the process uses the row that it knows.
TENANT_REGISTRY_SECONDS = 1
# % if cookiecutter.__managed
# By app label, the oldest migration that this release works with. Tenants that have it are served, migrated or not.
TENANT_OLDEST_MIGRATIONS: dict[str, str | None] = {}
# % endif
# The tenants that tests have; a test names them in `databases`, as "tenant_<slug>".
TEST_TENANTS = ("aperture-science-labs", "vavatch-corp-campus")
# % endif

# % if cookiecutter.__postgresql
# The most connections that a web process opens to each database. Other requests wait for one, for up to 5 seconds.
DATABASE_POOL_SIZE = 10
# % endif
# In web processes, the seconds after which a statement is an error. Commands have no such limit.
DATABASE_STATEMENT_SECONDS = 10
