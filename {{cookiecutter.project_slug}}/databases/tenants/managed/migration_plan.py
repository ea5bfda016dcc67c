"""Plans: the migrations that databases with the same history lack, prepared once and applied to each.

Django's `migrate` renders the models of every step for each database, which takes longer than the SQL itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from databases.tenants.managed.migration_history import applied_in
from databases.tenants.states import TenantError


class Step(NamedTuple):
    """An operation of a migration, and the state before and after it."""

    operation: Operation
    before: ProjectState
    after: ProjectState


class Plan(NamedTuple):
    """The migrations that databases with the same history lack, and the state before them."""

    migrations: list[tuple[Migration, list[Step]]]
    state: ProjectState


def plan_for(connection: BaseDatabaseWrapper) -> Plan | None:
    """Return the plan for a database, or `None` if Django's own command must migrate it.

    Raises `InconsistentMigrationHistory`, and what rendering models raises.
    """
    executor = MigrationExecutor(connection)
    loader = executor.loader
    loader.check_consistent_history(connection)
    wanted = {migration for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())}
    if loader.replacements.keys() - applied_in(connection):
        # Django's command decides how squashed migrations are recorded. The loader counts a squashed migration as
        # applied before it is recorded; it would run again after the replaced migrations are deleted.
        return None
    state = executor._create_project_state(with_applied_migrations=True)  # type: ignore[attr-defined]
    if wanted:
        # Rendered once: clones share the models that an operation does not change.
        state.apps  # noqa: B018
    before, migrations = state.clone(), []
    for migration, _ in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
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
    recorder = MigrationRecorder(connection)
    for migration, steps in plan.migrations:
        name = f"{migration.app_label}.{migration.name}"
        try:
            with connection.schema_editor(atomic=migration.atomic) as editor:
                for step in steps:
                    _apply_step(step, migration, editor)
                # Deferred SQL runs at the end of the block, so the migration is recorded after that.
                is_recorded = not editor.deferred_sql
                if is_recorded:
                    _record(recorder, migration)
            if not is_recorded:
                _record(recorder, migration)
        except Exception as error:
            whole = migration.atomic and connection.features.can_rollback_ddl
            undone = (
                ""
                if whole
                else "; its earlier operations are not rolled back: check the tables before you run this again"
            )
            raise TenantError(f"{name}: {error}{undone}") from error
        report(name)
    emit_post_migrate_signal(0, False, connection.alias, **signals)


def _record(recorder: MigrationRecorder, migration: Migration) -> None:
    # Django's own method lists all tables first, which takes longer than most migrations.
    recorder.migration_qs.create(app=migration.app_label, name=migration.name)


def _apply_step(step: Step, migration: Migration, editor: Any) -> None:
    needs_transaction = step.operation.atomic or (migration.atomic and step.operation.atomic is not False)
    if not editor.atomic_migration and needs_transaction:
        with transaction.atomic(using=editor.connection.alias):
            step.operation.database_forwards(migration.app_label, editor, step.before, step.after)
    else:
        step.operation.database_forwards(migration.app_label, editor, step.before, step.after)
