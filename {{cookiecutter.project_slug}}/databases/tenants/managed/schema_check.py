"""Compares the tables of tenants with those that their recorded migrations make. It changes no tenant.

Each history has one reference: a copy of the template, or a scratch database that is migrated in the same way.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from databases.migrating import one_line
from databases.tenants.context import use_tenant
from databases.tenants.maintenance import maintenance_connection
from databases.tenants.managed import identity, migration_history, owners, template
from databases.tenants.managed.ddl import create_database, drop_database, session
from databases.tenants.managed.migrate import connected
from databases.tenants.managed.migration_plan import Plan, apply, plan_of_history
from databases.tenants.registry import Tenant

#: By table: its columns and constraints by kind and name, each with its properties.
Schema = dict[str, dict[tuple[str, str], dict[str, Any]]]
#: By server and history.
References = dict[tuple[str, frozenset[migration_history.Key]], Schema]


class Finding(NamedTuple):
    """The result for one tenant: how its tables differ, or the error that kept them from being read."""

    slug: str
    differences: list[str]
    error: str = ""


def check_all(tenants: Iterable[Tenant]) -> Iterator[Finding]:
    """Compare the tables of tenants with their history, and yield what was found."""
    references: References = {}
    for tenant in tenants:
        try:
            yield Finding(tenant.slug, _check(tenant.slug, references))
        except Exception as error:
            # The next tenant may be fine.
            yield Finding(tenant.slug, [], one_line(error))


def _check(slug: str, references: References) -> list[str]:
    with connected(slug, "answer") as (tenant, connection):
        identity.refuse_others(connection, tenant, identity.read(connection))
        history = migration_history.applied_in(connection)
        found = schema_of(connection)
        key = tenant.server, history
        plan = None if key in references else plan_of_history(connection, history)
    if plan is not None:
        references[key] = _reference(tenant, history, plan)
    return list(differences(references[key], found))


def _reference(tenant: Tenant, history: frozenset[migration_history.Key], plan: Plan) -> Schema:
    """Return the tables that this history makes on the tenant's server."""
    # No tenant can have this name, and the next release's template drops what a killed process has left.
    name = f"{template.TEMPLATE}{migration_history.fingerprint()}_check_{secrets.token_hex(4)}"
    made = config = template.template_settings(tenant.server, name)
    try:
        if migration_history.is_complete(history) and template.exists(tenant.server):
            with session(config) as cursor:
                template.copy_to(config, tenant.server, cursor)
            config = owners.owner().template_settings(config)
        else:
            create_database(config, options=owners.owner().options)
            config = owners.owner().template_settings(config)
            # Under the tenant's alias: a data migration may ask for its tenant, and must not reach the tenant's rows.
            with use_tenant(tenant.slug, switch=True), maintenance_connection(tenant.alias, config) as connection:
                identity.make_table(connection)
                MigrationRecorder(connection).ensure_schema()
                apply(connection, plan, lambda name: None)
        with maintenance_connection(tenant.alias, config) as connection:
            return schema_of(connection)
    finally:
        drop_database(made)


def schema_of(connection: BaseDatabaseWrapper) -> Schema:
    """Return the tables of a database. Raises Django's database errors."""
    inspect = connection.introspection
    schema: Schema = {}
    with connection.cursor() as cursor:
        for table in inspect.table_names(cursor):
            schema[table] = {
                ("column", column.name): {
                    "type": _type(connection, column),
                    **{part: getattr(column, part) for part in ("null_ok", "default", "collation")},
                    **{part: getattr(column, part) for part in ("internal_size", "precision", "scale")},
                }
                for column in inspect.get_table_description(cursor, table)
            }
            for name, constraint in inspect.get_constraints(cursor, table).items():
                schema[table]["constraint", name] = {**constraint}
    return schema


def differences(expected: Schema, found: Schema) -> Iterator[str]:
    """Yield the differences between the tables of two databases, each as one sentence about the second."""
    for table in sorted({*expected, *found}):
        if table not in found:
            yield f"the table {table} is missing"
        elif table not in expected:
            yield f"no migration makes the table {table}"
        else:
            yield from _of_table(table, expected[table], found[table])


def _of_table(table: str, expected: dict[tuple[str, str], Any], found: dict[tuple[str, str], Any]) -> Iterator[str]:
    for key in sorted({*expected, *found}):
        kind, name = key
        if key not in found:
            yield f"{table} lacks the {kind} {name}"
        elif key not in expected:
            yield f"{table} has the {kind} {name}, which no migration makes"
        elif changed := [part for part in expected[key] if expected[key][part] != found[key].get(part)]:
            parts = [f"{part} is {found[key].get(part)!r} instead of {expected[key][part]!r}" for part in changed]
            yield f"the {kind} {name} of {table} differs: {', '.join(parts)}"


def _type(connection: BaseDatabaseWrapper, column: Any) -> str | None:
    try:
        return str(connection.introspection.get_field_type(column.type_code, column))
    except KeyError:
        # A type of an extension: its number differs from database to database.
        return None
