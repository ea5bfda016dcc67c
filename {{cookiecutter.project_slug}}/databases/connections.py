"""Database settings from URLs: what the environment says becomes entries of `DATABASES`, or one clear error."""

from __future__ import annotations

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
    """Return the entry for another database on the server of `config`, or for another file in its folder."""
    if config["ENGINE"] == SQLITE:
        name = str(Path(config["NAME"]).with_name(f"{name}.sqlite3"))
    return {**config, "NAME": name}
# % if cookiecutter.__mirror


def read_only(config: dict[str, Any]) -> dict[str, Any]:
    """Return the entry so that SQLite neither makes a missing file nor changes the one it finds."""
    if config["ENGINE"] == SQLITE:
        return {**config, "NAME": f"{Path(config['NAME']).absolute().as_uri()}?mode=ro"}
    return config
# % endif
# % if cookiecutter.__tenants


def require_name_placeholder(config: dict[str, Any]) -> None:
    """Raise `ImproperlyConfigured` where a tenant server's URL lacks `{name}`: its tenants would share a database."""
    if "{name}" not in config["NAME"]:
        raise ImproperlyConfigured(
            "TENANT_DATABASE_URL and every URL in TENANT_SERVERS must hold {name} where a tenant's database name goes."
        )
# % endif
