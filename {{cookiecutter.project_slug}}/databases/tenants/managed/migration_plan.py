"""Plans: the migrations that databases with the same history lack, prepared once and applied to each.

Django's `migrate` renders the models of every step for each database, which takes longer than the SQL itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import sleep
from typing import Any, NamedTuple

from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from databases import lock_timeout
from databases.migrating import one_line
from databases.tenants.managed.migration_history import Key
from databases.tenants.states import TenantError

#: How often a migration is tried that met a lock, if it was rolled back.
TRIES = 3
#: Seconds between two tries, in which waiting queries are served.
PAUSE_SECONDS = 1.0


class Step(NamedTuple):
    """An operation of a migration, and the state before and after it."""

    operation: Operation
    before: ProjectState
    after: ProjectState


class Plan(NamedTuple):
    """The migrations that databases with the same history lack, and the state before them."""

    migrations: list[tuple[Migration, list[Step]]]
    state: ProjectState


def plan_for(connection: BaseDatabaseWrapper, applied: frozenset[Key]) -> Plan | None:
    """Return the plan for a database with this history, or `None` if Django's own command must migrate it.

    Raises `InconsistentMigrationHistory`, what rendering models raises, and `TenantError` for another history.
    """
    executor = _executor(connection, applied)
    loader = executor.loader
    loader.check_consistent_history(connection)
    wanted = {migration for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())}
    if loader.replacements.keys() - applied:
        # Django's command decides how squashed migrations are recorded. The loader counts a squashed migration as
        # applied before it is recorded; it would run again after the replaced migrations are deleted.
        return None
    return _plan(executor, wanted, with_applied_migrations=True)


def plan_of_history(connection: BaseDatabaseWrapper, applied: frozenset[Key]) -> Plan:
    """Return the plan that leads from an empty database to the history of this one, without migrations of others.

    Raises `TenantError` for another history.
    """
    executor = _executor(connection, applied)
    nodes, found = executor.loader.graph.nodes, executor.loader.applied_migrations
    return _plan(executor, {nodes[key] for key in found if key in nodes}, with_applied_migrations=False)


def _executor(connection: BaseDatabaseWrapper, applied: frozenset[Key]) -> MigrationExecutor:
    executor = MigrationExecutor(connection)
    # It has asked once more. A view of a tenant may answer otherwise, and other tenants would get the plan.
    if (executor.loader.applied_migrations.keys() ^ applied) - executor.loader.replacements.keys():
        raise TenantError("its list of migrations has changed while it was read: run this again")
    return executor


def _plan(executor: MigrationExecutor, wanted: set[Migration], *, with_applied_migrations: bool) -> Plan:
    state = executor._create_project_state(with_applied_migrations)  # type: ignore[attr-defined]
    if wanted:
        # Rendered once: clones share the models that an operation does not change.
        state.apps  # noqa: B018
    before, migrations = state.clone(), []
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True):
        if migration in wanted:
            steps = []
            for operation in migration.operations:
                operation.state_forwards(migration.app_label, state)
                after = state.clone()
                steps.append(Step(operation, before, after))
                before = after
            migrations.append((migration, steps))
    return Plan(migrations, state)


def apply(connection: BaseDatabaseWrapper, plan: Plan, report: Callable[[str], object]) -> None:
    """Apply a plan like Django's executor, but with the models that the plan holds already.

    Arguments: a connection to a database that has the table `django_migrations`, its plan, and a function that takes
    the name of each applied migration. Raises `TenantError` for errors of a migration.
    """
    if not plan.migrations:
        return
    connection.prepare_database()
    signals: Any = {"apps": plan.state.apps, "plan": [(migration, False) for migration, _ in plan.migrations]}
    emit_pre_migrate_signal(0, False, connection.alias, **signals)
    for migration, steps in plan.migrations:
        name = f"{migration.app_label}.{migration.name}"
        is_whole = migration.atomic and connection.features.can_rollback_ddl
        try:
            _retry(partial(_apply_migration, connection, migration, steps), tries=TRIES if is_whole else 1)
        except Exception as error:
            undone = "; its earlier operations are not rolled back: check the tables before you run this again"
            reason = lock_timeout.advice(error) or one_line(error)
            raise TenantError(f"{name}: {reason}{'' if is_whole else undone}") from error
        report(name)
    emit_post_migrate_signal(0, False, connection.alias, **signals)


def _retry(migrate: Callable[[], None], *, tries: int) -> None:
    """Migrate, and again after a pause if a lock was not available. Raises what the last try raises."""
    for _ in range(tries - 1):
        try:
            return migrate()
        except OperationalError as error:
            if not lock_timeout.is_timeout(error):
                raise
            sleep(PAUSE_SECONDS)
    migrate()


def _apply_migration(connection: BaseDatabaseWrapper, migration: Migration, steps: list[Step]) -> None:
    with connection.schema_editor(atomic=migration.atomic) as editor:
        for step in steps:
            _apply_step(step, migration, editor)
        # Deferred SQL runs at the end of the block, so the migration is recorded after that.
        is_recorded = not editor.deferred_sql
        if is_recorded:
            _record(connection, migration)
    if not is_recorded:
        _record(connection, migration)


def _record(connection: BaseDatabaseWrapper, migration: Migration) -> None:
    # Django's own method lists all tables first, which takes longer than most migrations.
    MigrationRecorder(connection).migration_qs.create(app=migration.app_label, name=migration.name)


def _apply_step(step: Step, migration: Migration, editor: Any) -> None:
    needs_transaction = step.operation.atomic or (migration.atomic and step.operation.atomic is not False)
    is_inside = editor.atomic_migration or not needs_transaction
    with nullcontext() if is_inside else transaction.atomic(using=editor.connection.alias):
        step.operation.database_forwards(migration.app_label, editor, step.before, step.after)
