"""Makes databases as killed runs leave them, and as older releases have made them."""

from __future__ import annotations

from databases.tenants.maintenance import inside, maintenance_settings
from databases.tenants.managed import owners
from databases.tenants.managed.ddl import create_database, session
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint, Series


def make_database(tenant: Tenant) -> None:
    """Make an empty database for a registered tenant."""
    config = maintenance_settings(tenant)
    with session(config) as cursor:
        create_database(config, owners.owner().make(tenant, cursor))
        owners.owner().give(tenant, config, cursor)


def run_sql(tenant: Tenant, *statements: str) -> None:
    """Run statements on a tenant's database, as its own user."""
    with inside(tenant) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def remove_points(tenant: Tenant) -> None:
    """Remove the test app's tables and migration records. By SQL: `migrate` renders the models of all apps first."""
    records = "DELETE FROM django_migrations WHERE app = 'layer_points'"
    tables = (Series.points.through, Series, DataPoint)
    run_sql(tenant, *(f"DROP TABLE IF EXISTS {model._meta.db_table}" for model in tables), records)
