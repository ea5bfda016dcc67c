"""What databases of one history lack, worked out once and done to each.

Django's `migrate` builds the models of every step anew for each database, which takes longer than the database does.
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

from .history import applied_in
from .states import TenantError


class Step(NamedTuple):
    """An operation of a migration, and the models before and after it."""

    operation: Operation
    before: ProjectState
    after: ProjectState


class Plan(NamedTuple):
    """What databases of one history lack, worked out; nothing, where Django's own command is to see to it."""

    migrations: list[tuple[Migration, list[Step]]]
    state: ProjectState


def plan_for(connection: BaseDatabaseWrapper) -> Plan | None:
    """Work out what a database lacks. Raises `InconsistentMigrationHistory`, and what rendering models raises."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    loader.check_consistent_history(connection)
    wanted = {migration for migration, _ in executor.migration_plan(loader.graph.leaf_nodes())}
    if loader.replacements.keys() - applied_in(connection):
        # Which of a squashed migration and those it replaces are recorded, and when, is Django's to know. The loader
        # takes one for applied that is not recorded yet, and would be done again once those it replaces are deleted.
        return None
    state = executor._create_project_state(with_applied_migrations=True)  # type: ignore[attr-defined]
    if wanted:
        # Rendered once here; clones share the models that an operation leaves as they are.
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
    """Do to a database what Django's executor does, with models that are there already.

    Arguments: a connection to a database that has a table of migrations, its plan, and what takes the name of each
    migration when it is done. Raises `TenantError` for what a migration raises.
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
                # What is deferred is done when the block ends, and the migration is applied only then.
                is_recorded = not editor.deferred_sql
                if is_recorded:
                    _record(recorder, migration)
            if not is_recorded:
                _record(recorder, migration)
        except Exception as error:
            whole = migration.atomic and connection.features.can_rollback_ddl
            undone = "" if whole else "; what it had done so far is not undone, so look before you run this again"
            raise TenantError(f"{name}: {error}{undone}") from error
        report(name)
    emit_post_migrate_signal(0, False, connection.alias, **signals)


def _record(recorder: MigrationRecorder, migration: Migration) -> None:
    # Django's own method looks for the table among all others first, which takes longer than most migrations.
    recorder.migration_qs.create(app=migration.app_label, name=migration.name)


def _apply_step(step: Step, migration: Migration, editor: Any) -> None:
    alone = step.operation.atomic or (migration.atomic and step.operation.atomic is not False)
    if not editor.atomic_migration and alone:
        with transaction.atomic(using=editor.connection.alias):
            step.operation.database_forwards(migration.app_label, editor, step.before, step.after)
    else:
        step.operation.database_forwards(migration.app_label, editor, step.before, step.after)
