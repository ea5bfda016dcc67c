"""URLs of tenants' databases: engine, host, port and name. Users and passwords are kept apart, and encrypted."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, unquote

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from databases.environment import from_url

#: By engine, the module of its driver, and the package that has it.
DRIVERS = {"postgresql": ("psycopg", "psycopg[binary]"), "mysql": ("MySQLdb", "mysqlclient")}
#: Parameters are refused whose names hold one of these. A pool would be one for each tenant.
REFUSED = ("user", "pass", "pool", "atomic_requests")
#: No message quotes a URL that was refused: it may hold a password.
EXPECTED = (
    "The URL of a tenant's database must look like postgresql://user@host:5432/name, mysql://user@host/name or "
    "sqlite:////srv/name.sqlite3, with special characters percent-encoded"
)


def split_user(url: str) -> tuple[str, str]:
    """Return a URL without its user, and the user. Raises `ValueError` for an invalid URL and for one with a password.

    An `@` or `/` that is not percent-encoded in a password moves the rest of it into the path.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    parameters = parse_qs(url.partition("?")[2], keep_blank_values=True)
    if ":" in user or "@" in path or any(word in name.lower() for name in parameters for word in REFUSED):
        raise ValueError(
            f"{EXPECTED}. It must hold no password, which is read from standard input or named by --password-env, and "
            f"no parameter whose name contains {', '.join(REFUSED)}."
        )
    bare = f"{scheme}://{host}{slash}{path}"
    settings_of(bare)
    return bare, unquote(user)


def settings_of(url: str) -> dict[str, Any]:
    """Return the entry of `DATABASES` for a URL. Raises `ValueError`, and `LookupError` if a driver is missing."""
    try:
        config = from_url(url, "")
    except ImproperlyConfigured:
        raise ValueError(f"{EXPECTED}.") from None
    engine = config["ENGINE"].rpartition(".")[2]
    module, package = DRIVERS.get(engine, ("sqlite3", ""))
    if find_spec(module) is None:
        raise LookupError(f"A tenant's database needs the driver for {engine}: install {package!r}.")
    app: Any = apps.get_app_config("tenants")
    if app.is_serving:
        app.fit(config)
    return config
