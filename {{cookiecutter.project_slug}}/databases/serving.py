"""Fits connections to a web process: their number is bounded, and every wait for a database has a limit.

`wsgi.py` and `asgi.py` get their application here, and nothing else does. Commands, workers and tests connect without a
pool, and their statements may take any time, because a migration may need hours.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import asgi, wsgi
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.utils.module_loading import import_string

from databases.environment import ENGINES, SQLITE

POOL = "databases.postgresql_pool.pool_options"
# MySQL's limit for statements covers reads only. Source: MariaDB, comment syntax.
MYSQL_LIMITS = (
    "SET SESSION innodb_lock_wait_timeout = {0}, lock_wait_timeout = {0}"
    " /*!80000 , max_execution_time = {0}000 */ /*M! , max_statement_time = {0} */"
)


def get_wsgi_application() -> WSGIHandler:
    """Return what Django's function of this name does, with fitted connections."""
    application = wsgi.get_wsgi_application()
    fit_connections(asgi=False)
    return application


def get_asgi_application() -> ASGIHandler:
    """Return what Django's function of this name does, with fitted connections."""
    application = asgi.get_asgi_application()
    fit_connections(asgi=True)
    return application


def fit_connections(*, asgi: bool) -> None:
    """Change the settings of this process's databases in place, before its first request.

    Statements get a limit of `DATABASE_STATEMENT_SECONDS`, and databases on PostgreSQL a pool of at most
    `DATABASE_POOL_SIZE` connections. `OPTIONS` in settings or URLs win. The `AppConfig` of a role may do the same for
    databases that `DATABASES` does not list, by a method `fit_connections()`. Argument `asgi`: whether each request
    runs in another thread.
    """
    for connection in connections.all(initialized_only=True):
        # Not close_all(), which Django refuses in an event loop: uvicorn imports the application in its own.
        if connection.connection is not None:
            connection.close()
    for alias in connections:
        config = connections.settings[alias]
        # Django can make no connection of a pool assume a role.
        limits = {} if "assume_role" in config["OPTIONS"] else limits_of(config)
        config["OPTIONS"] = {**limits, **config["OPTIONS"]}
        if asgi or "pool" in limits:
            # Under ASGI, no later request has the thread for which Django keeps a connection open: 100 requests left
            # 100 sessions. A pool keeps connections open itself.
            config["CONN_MAX_AGE"] = 0
    for app in apps.get_app_configs():
        if hasattr(app, "fit_connections"):
            app.fit_connections()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=close_pools)


def close_pools() -> None:
    """Close the pools. The next query opens new ones.

    A forked child would use its parent's sessions, and has no threads to run a pool: `gunicorn --preload`.
    """
    connections.close_all()
    for connection in connections.all():
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]


def limits_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options that limit the connections of a web process to a database."""
    engine, seconds = config["ENGINE"], settings.DATABASE_STATEMENT_SECONDS
    if engine == SQLITE:
        # How long a statement waits for another process that writes.
        return {"timeout": seconds}
    if engine == ENGINES["mysql"]:
        # The client waits longer, so that the server ends a slow statement. It alone can leave a server that hangs.
        waits = {"read_timeout": seconds + 2, "write_timeout": seconds + 2}
        return {**waits, "init_command": MYSQL_LIMITS.format(seconds)}
    # Projects whose primary is another engine have no such module, and no driver.
    if engine.endswith(("postgresql", "postgis")) and find_spec(POOL.rpartition(".")[0]):
        return {"pool": import_string(POOL)(**config.get("POOL", {}))}
    return {}
