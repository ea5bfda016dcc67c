"""Database settings from URLs: what the environment says becomes entries of `DATABASES`, or one clear error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SQLITE = "django.db.backends.sqlite3"
ENGINES = {
    "sqlite": SQLITE,
    "postgresql": "django.db.backends.postgresql",
    "postgres": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}
#: Connecting costs more than most queries; a connection that the server dropped is noticed before it is used again.
KEEP_OPEN = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
# Django's time zone for sessions on PostgreSQL. Its library tells the server while it connects; Django would need one
# more query after that, for each connection. Source: PostgreSQL manual, 34.15.
os.environ.setdefault("PGTZ", "UTC")


def from_url(url: str, variable: str, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the `DATABASES` entry for a URL, or `otherwise` where there is no URL.

    Arguments: the URL (`engine://user:password@host:port/name`, special characters percent-encoded), the name of the
    environment variable that held it, for messages, and what development uses when the variable is not set.
    Raises `ImproperlyConfigured`, without the URL: it holds a password.
    """
    if not url and otherwise is not None:
        return otherwise
    expected = f"{variable} must be a URL such as postgresql://user:password@host/name or sqlite:////srv/app.sqlite3"
    if not url:
        raise ImproperlyConfigured(f"{expected}; it is not set, which only DEBUG=on allows.")
    scheme = url.partition("://")[0]
    if scheme not in ENGINES:
        raise ImproperlyConfigured(f"{expected}; its engine must be one of: {', '.join(ENGINES)}.")
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url, engine=ENGINES[scheme])
    except (ValueError, KeyError):
        # `from None`: the original error quotes the part of the URL it stumbled over, often the password.
        raise ImproperlyConfigured(f"{expected}, with special characters percent-encoded.") from None
    if config["NAME"] in ("", ":memory:"):
        raise ImproperlyConfigured(f"{expected}; the name of the database is missing.")
    return {**KEEP_OPEN, **config}


def sqlite(path: Path) -> dict[str, Any]:
    """Return the entry for a SQLite file."""
    return {**KEEP_OPEN, "ENGINE": SQLITE, "NAME": str(path)}


def beside(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the entry for another database on the server of `config`, or for another file in its folder.

    Without what `config` may ask for its own requests: a transaction around each, and a pool.
    """
    if config["ENGINE"] == SQLITE:
        name = str(Path(config["NAME"]).with_name(f"{name}.sqlite3"))
    options = {key: value for key, value in config.get("OPTIONS", {}).items() if key != "pool"}
    return {**config, "NAME": name, "OPTIONS": options, "ATOMIC_REQUESTS": False}
# % if cookiecutter.__registry or cookiecutter.__replica


#: How long connecting to a server other than the primary's may take, and how long it may vanish; without this, for as
#: long as it likes. In seconds, but for tcp_user_timeout (ms). Source: PostgreSQL manual, 34.1.2; MySQL's C API,
#: mysql_options().
CONNECTING: dict[str, dict[str, Any]] = {
    SQLITE: {},
    ENGINES["postgresql"]: {
        "connect_timeout": 3,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    },
    ENGINES["mysql"]: {"connect_timeout": 3},
}


def with_limits(config: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with limits of time. Each is a default: a parameter of its name in the URL's query wins."""
    return {**config, "OPTIONS": {**CONNECTING[config["ENGINE"]], **limits, **config.get("OPTIONS", {})}}
# % endif
# % if cookiecutter.__mirror


#: How long a statement on the mirror may take, in seconds; MySQL's max_execution_time (ms) and MariaDB's
#: max_statement_time (s) are of each server its own. PostgreSQL's is in `mirror.timeouts`. Source: MariaDB, comment
#: syntax.
READING: dict[str, dict[str, Any]] = {
    SQLITE: {"timeout": 3},
    ENGINES["postgresql"]: {},
    ENGINES["mysql"]: {
        # Longer than a statement may take, so that the server is the one to end it.
        "read_timeout": 12,
        "write_timeout": 12,
        "init_command": "SET SESSION /*!80000 max_execution_time = 10000 */ /*M! max_statement_time = 10 */",
    },
}


def read_only(config: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with limits of time, and so that SQLite makes no missing file and changes none it finds."""
    config = with_limits(config, READING[config["ENGINE"]])
    if config["ENGINE"] == SQLITE:
        config["NAME"] = f"{Path(config['NAME']).absolute().as_uri()}?mode=ro"
    return config
# % endif
# % if cookiecutter.__replica


def replica(config: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a replica, with limits of time, and with the weight in its URL's query as its `WEIGHT`.

    Raises `ImproperlyConfigured` where that is no whole number from 1 on.
    """
    options = {**config.get("OPTIONS", {})}
    weight = str(options.pop("weight", 1))
    if not weight.isdecimal() or int(weight) < 1:
        raise ImproperlyConfigured("REPLICA_DATABASE_URLS: a weight must be a whole number from 1 on, as in ?weight=3.")
    return with_limits({**config, "OPTIONS": options, "WEIGHT": int(weight)}, {})
# % endif
# % if cookiecutter.__tenants


def tenant_server(config: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a server of tenants, with limits of time: one that hangs must not keep the others waiting.

    Raises `ImproperlyConfigured` where its URL lacks `{name}`, for its tenants would share a database, and where it
    asks for what each tenant would then have of its own.
    """
    if "{name}" not in config["NAME"]:
        raise ImproperlyConfigured(
            "TENANT_DATABASE_URL and every URL in TENANT_SERVERS must hold {name} where a tenant's database name goes."
        )
    if "pool" in config.get("OPTIONS", {}):
        # Django keeps one for each alias, and no request closes it: 15 tenants had 60 sessions open at the server.
        raise ImproperlyConfigured(
            "TENANT_DATABASE_URL and TENANT_SERVERS must not ask for a pool: each tenant would keep one of its own. "
            "TENANT_CONNECTIONS bounds connections; to share them between processes use a pooler such as PgBouncer."
        )
    if config.get("ATOMIC_REQUESTS"):
        raise ImproperlyConfigured(
            "TENANT_DATABASE_URL and TENANT_SERVERS must not ask for ATOMIC_REQUESTS, which would open a transaction "
            "on tenants that a request is not for. Open transactions with atomic_for(Model)."
        )
    return with_limits(config, {})
# % endif
