"""Turns a tenant's database into one that an older release has made."""

from __future__ import annotations

from django.db import connections

from databases.tenants.managed.maintenance import maintenance_settings
from databases.tenants.models import Tenant
from databases.tenants.tests.points.models import DataPoint


def run_sql(tenant: Tenant, *statements: str) -> None:
    """Run statements on a tenant's database, over a maintenance connection."""
    config = maintenance_settings(tenant)
    with connections.override(tenant.alias, config) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def remove_points(tenant: Tenant) -> None:
    """Remove the test app's table and migration records. By SQL: `migrate` renders the models of all apps first."""
    records = "DELETE FROM django_migrations WHERE app = 'layer_points'"
    run_sql(tenant, f"DROP TABLE {DataPoint._meta.db_table}", records)
