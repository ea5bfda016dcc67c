"""Migrates every database that this project owns: `OWN_DATABASES` in their order, then the databases of roles.

The `AppConfig` of a role can add databases by a method `migrate_databases(pending_only)` that yields their results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, Error, OperationalError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from databases import lock_timeout
from databases.locks import lock
from databases.report import report_on

#: How long a process waits for another one that migrates the same database.
WAIT_SECONDS = 600


class Result(NamedTuple):
    """One database: its migrations, which were applied or are pending, or why there is no answer."""

    database: str
    migrations: list[str]
    error: str = ""
    skipped: str = ""


def migrate_all(only: Collection[str] = (), *, pending_only: bool = False) -> Iterator[Result]:
    """Migrate each database, and yield its result. A database that fails does not stop the next one.

    Arguments: `only` these of `OWN_DATABASES`, and no databases of roles; `pending_only`: change nothing, and yield the
    migrations that are to be applied.
    """
    found: dict[str, Result] = {}
    for alias in settings.OWN_DATABASES:
        if not only or alias in only:
            found[alias] = _migrate(alias, pending_only=pending_only)
            yield found[alias]
    if only:
        return
    for role in _roles():
        for result in _migrate_role(role, found[DEFAULT_DB_ALIAS], pending_only=pending_only):
            found[result.database] = result
            yield result
    for alias in connections:
        if alias not in found:
            yield Result(alias, [], skipped="this project does not migrate it")


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _roles() -> list[Any]:
    return [config for config in apps.get_app_configs() if hasattr(config, "migrate_databases")]


def _migrate_role(role: Any, primary: Result, *, pending_only: bool) -> Iterator[Result]:
    """Yield the results of a role, whose registry is in the primary."""
    if primary.error:
        yield Result(role.label, [], skipped="default failed")
    elif pending_only and any(each.startswith(f"{role.label}.") for each in primary.migrations):
        skipped = "default lacks migrations of its registry: run `migrate_databases default` first"
        yield Result(role.label, [], skipped=skipped)
    else:
        try:
            yield from role.migrate_databases(pending_only=pending_only)
        except Exception as error:
            # The registry cannot be read. The next role may be fine.
            yield Result(role.label, [], error=one_line(error))


def _migrate(alias: str, *, pending_only: bool) -> Result:
    connection = connections[alias]
    before: list[str] = []
    try:
        if pending_only:
            before = _pending(connection)
        else:
            if settings.DEBUG:
                _create_if_missing(connection)
            with _alone(connection):
                before = _pending(connection)
                # Even if nothing is pending: it sends the signals that make content types and permissions.
                call_command("migrate", database=alias, interactive=False, verbosity=0)
    except Exception as error:
        # The next database may be fine.
        where = ""
        with contextlib.suppress(Exception):
            where = f"{_pending(connection)[0]}: " if before else ""
        return Result(alias, [], error=where + (lock_timeout.advice(error) or one_line(error)))
    # Migrations may be recorded whose tables are missing.
    problems = [] if pending_only and before else report_on(alias).problems
    return Result(alias, before, error="; ".join(problems))


def _alone(connection: BaseDatabaseWrapper) -> contextlib.AbstractContextManager[None]:
    """Within the block, no other process runs this command on the database: a data migration would run twice."""
    # Before the lock file of SQLite: a folder that is missing is then reported as one of the database.
    connection.ensure_connection()
    busy = RuntimeError("another process migrates it: wait until that ends, and run this again")
    return lock(connection, "migrate", busy, wait=WAIT_SECONDS)


def _pending(connection: BaseDatabaseWrapper) -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    # Django only records the migrations of apps that live elsewhere.
    return [str(each) for each, _ in plan if router.allow_migrate(connection.alias, each.app_label)]


def _create_if_missing(connection: BaseDatabaseWrapper) -> None:
    """Create the database in development if its server lacks it. SQLite always creates its file."""
    try:
        connection.ensure_connection()
    except OperationalError:
        if connection.vendor == "sqlite":
            raise
        try:
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(connection.settings_dict['NAME'])}")
        except Error:
            # Another process may have made it meanwhile.
            with contextlib.suppress(Error):
                connection.ensure_connection()
            if connection.connection is None:
                raise
