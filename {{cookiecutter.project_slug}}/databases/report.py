"""For each database and app: which migrations are applied, and which are only recorded.

`migrate` records the migrations of every app on every database that it runs for. It does so even where routers prevent
the tables, so `showmigrations` lists migrations as applied that created nothing.

The `AppConfig` of a role can extend the report by three methods: `dynamic_aliases()` returns the aliases of databases
that `DATABASES` does not list, `add_to_report(report)` adds details of the role, and `server_reports()` yields reports
of servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from django.apps import AppConfig, apps
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from databases.registry import is_foreign, role_of_alias, roles_of


@dataclass
class Report:
    """One database: its alias, role, engine and name, what is known of it, and its problems."""

    alias: str
    role: str
    engine: str = "?"
    name: str = "?"
    #: How long the answer to a small question took, in milliseconds.
    latency: float | None = None
    #: Such as `24 migrations applied`, and what roles add.
    facts: list[str] = field(default_factory=list)
    #: More, by app label.
    details: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def report_listed() -> list[Report]:
    """Return a report of each database in `DATABASES`. If a database is down, its report names that as a problem."""
    return [report_on(alias) for alias in connections]


def report_all() -> Iterator[Report]:
    """Yield a report of every database, also of databases that `DATABASES` does not list."""
    listed = list(connections)
    yield from map(report_on, listed)
    for config in _configs_with("dynamic_aliases"):
        try:
            aliases = config.dynamic_aliases()
        except DatabaseError:
            yield Report(config.label, "?", problems=["its registry cannot be read"])
        else:
            yield from (report_on(alias) for alias in aliases if alias not in listed)


def report_servers() -> list[Report]:
    """Return what roles report of servers."""
    return [report for config in _configs_with("server_reports") for report in config.server_reports()]


def report_on(alias: str) -> Report:
    """Return the report of one database."""
    try:
        report = Report(alias, role_of_alias(alias))
    except LookupError as error:
        return Report(alias, "?", problems=[str(error)])
    try:
        connection = connections[alias]
        report.engine, report.name = connection.vendor, str(connection.settings_dict["NAME"])
        with connection.cursor() as cursor:
            began = perf_counter()
            cursor.execute("SELECT 1")
            report.latency = (perf_counter() - began) * 1000
            present = set(connection.introspection.table_names(cursor))
        if pool := getattr(connection, "pool", None):
            stats = pool.get_stats()
            used = stats["pool_size"] - stats["pool_available"]
            report.facts.append(f"{used} of {stats['pool_max']} connections in use by this process")
        if is_foreign(alias):
            _add_tables(report, present)
        elif report.role in _roles_with_apps():
            _add_history(report, connection, present)
        for config in _configs_with("add_to_report"):
            config.add_to_report(report)
    except (DatabaseError, LookupError, RuntimeError) as error:
        # Only the class: a driver's message may quote addresses and users.
        report.problems.append(f"cannot be reached ({type(error).__name__})")
    return report


def _configs_with(method: str) -> list[Any]:
    return [config for config in apps.get_app_configs() if hasattr(config, method)]


def _roles_with_apps() -> set[str]:
    return {role for config in apps.get_app_configs() for role in roles_of(config.label)}


def _add_tables(report: Report, present: set[str]) -> None:
    """Report on a database that someone else migrates: check its tables only."""
    found = 0
    for config in apps.get_app_configs():
        expected = _tables(config)
        if expected and report.role in roles_of(config.label):
            missing = expected - present
            found += len(expected - missing)
            report.details[config.label] = f"{len(expected - missing)} tables, made by their owner"
            if missing:
                report.problems.append(f"{config.label}: missing {', '.join(sorted(missing))}")
    report.facts.append(f"{_number(found, 'table')}, made by their owner")


def _add_history(report: Report, connection: BaseDatabaseWrapper, present: set[str]) -> None:
    """Report on a database that this project migrates: its recorded migrations, and whether their tables exist."""
    on_disk = MigrationLoader(None).disk_migrations
    recorded = MigrationRecorder(connection).applied_migrations()
    total = only_recorded = 0
    for config in apps.get_app_configs():
        ours = {key for key in on_disk if key[0] == config.label}
        applied = ours & set(recorded)
        roles = roles_of(config.label)
        if report.role not in roles:
            if applied:
                only_recorded += len(applied)
                home = f"its tables are in the {' and '.join(sorted(roles)) or 'test'} database"
                left = ", ".join(sorted(_tables(config) & present))
                report.details[config.label] = f"{len(applied)} only recorded: {home}" + (
                    f"; left over here: {left}" if left else ""
                )
            continue
        if not ours:
            continue
        total += len(applied)
        report.details[config.label] = f"{len(applied)} of {len(ours)} applied"
        if applied != ours:
            pending = _number(len(ours - applied), "migration")
            report.problems.append(f"{config.label}: {pending} to apply: run `migrate_databases`")
        elif missing := _tables(config, report.alias) - present:
            # As after the move of an app whose migrations were recorded here before.
            report.problems.append(
                f"{config.label}: recorded as applied, but missing {', '.join(sorted(missing))}: run "
                f"`migrate {config.label} zero --fake --database {report.alias}` and `migrate_databases`"
            )
    recorded_elsewhere = f", {only_recorded} only recorded" if only_recorded else ""
    report.facts.append(f"{_number(total, 'migration')} applied{recorded_elsewhere}")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _tables(config: AppConfig, alias: str | None = None) -> set[str]:
    """Return the tables of an app, or only the tables that routers allow in a database."""
    models = [
        model
        for model in config.get_models(include_auto_created=True)
        if alias is None or router.allow_migrate_model(alias, model)
    ]
    return {model._meta.db_table for model in models if model._meta.managed and not model._meta.proxy}
