"""What is where: for each database and app, what is really applied and what is only recorded.

`migrate` records the migrations of every app on whatever database it is run for, also of apps whose tables routers
keep away from there; `showmigrations` then lists as applied what was never made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.apps import AppConfig, apps
# % if cookiecutter.__replica
from django.conf import settings
# % endif
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

# % if cookiecutter.__tenants
from .models import Tenant
# % endif
# % if cookiecutter.__replica
from .replica.health import is_replica, look_at
# % endif
from .roles import PRIMARY, is_foreign, role_of_alias, role_of_model


@dataclass
class Report:
    """One database: its alias, role, engine and name, details such as a sentence per app, and what is wrong with it."""

    alias: str
    role: str
    engine: str = "?"
    name: str = "?"
    details: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def report_all() -> list[Report]:
    """Return a report of every database. One that is down is a problem in its report, not an exception."""
    reports = [report_on(alias) for alias in connections]
    # % if cookiecutter.__tenants
    try:
        dynamic = [tenant.alias for tenant in Tenant.objects.all()]
    except DatabaseError:
        reports[0].problems.append("the registry of tenants cannot be read")
        dynamic = []
    reports += [report_on(alias) for alias in dynamic if alias not in connections.settings]
    # % endif
    return reports


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
            present = set(connection.introspection.table_names(cursor))
        if is_foreign(alias):
            _look_at_tables(report, present)
        elif report.role in (PRIMARY, *_roles_with_models()):
            _look_at_history(report, connection, present)
        # % if cookiecutter.__replica
        if is_replica(alias):
            _look_at_lag(report)
        # % endif
    except (DatabaseError, LookupError) as error:
        # The class only: a driver's message may quote addresses and users.
        report.problems.append(f"cannot be reached ({type(error).__name__})")
    return report


def _roles_with_models() -> set[str]:
    return {role_of_model(model) for model in apps.get_models()}


# % if cookiecutter.__replica
def _look_at_lag(report: Report) -> None:
    """Report on how far a replica has followed the primary."""
    standing = look_at(report.alias)
    report.details["replication"] = str(standing)
    if standing.lags(settings.REPLICA_MAX_LAG_SECONDS):
        report.problems.append("lags too far behind, and is not read from")


# % endif
def _look_at_tables(report: Report, present: set[str]) -> None:
    """Report on a database that someone else migrates: only its tables count."""
    for config in apps.get_app_configs():
        if _role(config) == report.role:
            missing = _tables(config) - present
            report.details[config.label] = f"{len(_tables(config)) - len(missing)} tables, made by their owner"
            if missing:
                report.problems.append(f"{config.label}: missing {', '.join(sorted(missing))}")


def _look_at_history(report: Report, connection: BaseDatabaseWrapper, present: set[str]) -> None:
    """Report on a database that this project migrates: its record, and whether the tables bear it out."""
    on_disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    recorded = MigrationRecorder(connection).applied_migrations()
    for config in apps.get_app_configs():
        ours = {key for key in on_disk if key[0] == config.label}
        applied = ours & set(recorded)
        if _role(config) != report.role:
            if applied:
                home = f"its tables are in the {_role(config)} database"
                report.details[config.label] = f"{len(applied)} only recorded: {home}"
            continue
        if not ours:
            continue
        report.details[config.label] = f"{len(applied)} of {len(ours)} applied"
        if applied != ours:
            report.problems.append(f"{config.label}: {len(ours - applied)} migrations to apply")
        elif missing := _tables(config) - present:
            report.problems.append(f"{config.label}: recorded as applied, but missing {', '.join(sorted(missing))}")


def _role(config: AppConfig) -> str:
    return next((role_of_model(model) for model in config.get_models()), PRIMARY)


def _tables(config: AppConfig) -> set[str]:
    models = config.get_models(include_auto_created=True)
    return {model._meta.db_table for model in models if model._meta.managed and not model._meta.proxy}
