"""Turns URLs from the environment into entries of `DATABASES`, or into one clear error."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from databases.secret import Secret

PROJECT = Path(__file__).resolve().parent.parent
SQLITE = "django.db.backends.sqlite3"
ENGINES = {
    "sqlite": SQLITE,
    "postgresql": "django.db.backends.postgresql",
    "postgres": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}
#: Connecting costs more than most queries. The health check finds connections that the server has closed. For web
#: processes, `databases.serving` changes this.
KEEP_OPEN = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
#: Time limits for connections to servers: to connect, and to notice that a server is gone.
#: The defaults wait without limit. Seconds; tcp_user_timeout is in milliseconds. Sources: PostgreSQL manual, 34.1.2;
#: MySQL's C API, mysql_options().
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
# The time zone that Django wants for sessions on PostgreSQL. libpq sends it with the connection request; Django would
# send one more query per connection. Source: PostgreSQL manual, 34.15.
os.environ.setdefault("PGTZ", "UTC")


def from_url(url: str, variable: str, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the `DATABASES` entry for a URL, or `otherwise` if there is no URL.

    Connecting has a time limit, unless the URL's query sets another. In web processes, `databases.serving` limits the
    number of connections and the time of statements. Arguments: the URL (`engine://user:password@host:port/name`,
    special characters percent-encoded), the name of the environment variable that held it, for messages, and the entry
    that development uses without the variable.
    Raises `ImproperlyConfigured`. Its message leaves the URL out, because that holds a password.
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
    except ValueError:
        # `from None`: the original error quotes the invalid part of the URL, often the password.
        raise ImproperlyConfigured(f"{expected}, with special characters percent-encoded.") from None
    if config["NAME"] in ("", ":memory:"):
        raise ImproperlyConfigured(f"{expected}; the name of the database is missing.")
    if config["ENGINE"] == SQLITE:
        # A relative path begins at the project's folder, whatever the working directory is.
        config["NAME"] = str(PROJECT / config["NAME"])
    config["PASSWORD"] = Secret(config["PASSWORD"])
    return {**KEEP_OPEN, **config, "OPTIONS": {**CONNECTING[config["ENGINE"]], **config.get("OPTIONS", {})}}


def matching(name: str, value: str, pattern: str, expected: str, *, is_secret: bool = False) -> str:
    """Return the value of a variable, or one of its values.

    Raises `ImproperlyConfigured` unless it matches a regular expression, and says what was expected.
    """
    if not re.fullmatch(pattern, value, re.IGNORECASE):
        found = "another text" if is_secret else repr(value)
        raise ImproperlyConfigured(f"{name} holds {found}: write {expected}.")
    return value


def sqlite(path: Path) -> dict[str, Any]:
    """Return the entry for a SQLite file."""
    return {"ENGINE": SQLITE, "NAME": str(path)}


def beside(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the entry for another database on the server of `config`, or for another file in its folder.

    It leaves out `ATOMIC_REQUESTS` and the connection pool, which `config` sets for its own database.
    """
    if config["ENGINE"] == SQLITE:
        name = str(Path(config["NAME"]).with_name(f"{name}.sqlite3"))
    options = {key: value for key, value in config.get("OPTIONS", {}).items() if key != "pool"}
    return {**config, "NAME": name, "OPTIONS": options, "ATOMIC_REQUESTS": False}


def address_of(config: dict[str, Any]) -> str:
    """Return where the database of an entry is. The query of a URL may say it too. Names of hosts are not resolved."""
    options = config["OPTIONS"]
    server = [options.get(name.lower()) or config[name] for name in ("HOST", "PORT")]
    # SQLite's read-only mode is in the name.
    name = str(config["NAME"]).removeprefix("file://").removesuffix("?mode=ro")
    return str([*server, options.get("service"), options.get("unix_socket"), name])
