"""Migrations wait for locks for a limited time only: the later queries of a table wait behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import pre_migrate

from databases.registry import is_foreign
from databases.statements import text_of

#: Seconds for which a statement of a migration waits for a lock. MySQL rounds them up.
LOCK_SECONDS = 5.0
#: Source: PostgreSQL manual, appendix A.
LOCK_NOT_AVAILABLE = "55P03"
#: Source: MariaDB, error code 1205, ER_LOCK_WAIT_TIMEOUT.
MYSQL_TIMEOUT = 1205


def install() -> None:
    """Limit the waits of every migration, forwards and backwards, whichever command runs it."""
    # The signal is sent for each app with models. Once is enough.
    first = next(config for config in apps.get_app_configs() if config.models_module)
    pre_migrate.connect(_limit, sender=first, dispatch_uid="databases.lock_timeout")


def _limit(using: str, **kwargs: Any) -> None:
    """Limit the waits of the rest of this session. SQLite limits them by itself, to 5 seconds."""
    if is_foreign(using):
        # Its owner migrates it. Here the migration is about to be refused, before anything is sent.
        return
    connection = connections[using]
    if connection.vendor == "postgresql":
        _set(connection, LOCK_SECONDS)
        if _lift not in connection.execute_wrappers:
            connection.execute_wrappers.append(_lift)
    elif connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = %s", [-int(-LOCK_SECONDS // 1)])


def _lift(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Let `CREATE INDEX CONCURRENTLY` wait for older transactions: no query waits behind it.

    After a failure it would leave an invalid index.
    """
    if "CONCURRENTLY" not in text_of(sql):
        return execute(sql, params, many, context)
    _set(context["connection"], 0)
    result = execute(sql, params, many, context)
    # After an error the next migration sets it again.
    _set(context["connection"], LOCK_SECONDS)
    return result


def _set(connection: BaseDatabaseWrapper, seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{seconds}s"])


def is_timeout(error: BaseException) -> bool:
    """Return whether a migration waited for a lock for too long."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE or (
        isinstance(error, OperationalError) and error.args[:1] == (MYSQL_TIMEOUT,)
    )


def advice(error: BaseException) -> str:
    """Return what to do after such an error, and an empty string after any other one."""
    if not is_timeout(error):
        return ""
    return (
        f"another transaction kept a table locked for longer than {LOCK_SECONDS:g} s: wait until it has ended, and "
        "run this again"
    )
