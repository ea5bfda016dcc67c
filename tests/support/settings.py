"""Environment variables for a baked project: for its tests, and as a production server would set them."""

from collections.abc import Callable
from pathlib import Path

from tests.support.bakes import Bake

SECRET_KEY = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: A key that encrypts the passwords of tenants' users.
PASSWORD_KEY = "b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U="


def sqlite(folder: Path) -> Callable[[str], str]:
    """Return a function that makes the URL of a SQLite file in the folder from its name."""
    return lambda name: f"sqlite:///{folder / name}.sqlite3"


def mysql(name: str) -> str:
    """Return the URL of a MySQL database on a port where no server listens: checks do not connect."""
    return f"mysql://user:password@127.0.0.1:9/{name}"


def production(bake: Bake, url: Callable[[str], str]) -> dict[str, str]:
    """Return what a production server sets for the roles of a bake, except that pages are served without HTTPS.

    Arguments: `url` makes the URL of a database from its name. The tenants of a fleet are on PostgreSQL, so other URLs
    are replaced by one where no server listens.
    """
    environment = {"SECRET_KEY": SECRET_KEY, "ALLOWED_HOSTS": "example.com", "DATABASE_URL": url("site")}
    environment["SECURE_SSL_REDIRECT"] = "off"
    if bake.answers["__secondary"]:
        environment["SECONDARY_DATABASE_URL"] = url("second")
    if bake.answers["__mirror"]:
        environment["MIRROR_DATABASE_URL"] = url("upstream")
    if bake.answers["__replicas"]:
        environment["REPLICA_DATABASE_URLS"] = f"{url('replica')},{url('second_replica')}"
    if bake.answers["__tenants"]:
        environment |= {"TENANT_DATABASE_URL": url("{name}"), "SITE_DOMAIN": "example.com"}
    if bake.answers["__credentials"]:
        environment["TENANT_PASSWORD_KEYS"] = PASSWORD_KEY
    if bake.answers["__fleet"] and not url("{name}").startswith("postgresql:"):
        environment["TENANT_DATABASE_URL"] = "postgresql://user:password@127.0.0.1:9/{name}"
    return environment
