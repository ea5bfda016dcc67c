"""Checks that a tenant's database, which someone else made, has the tables that this project's models expect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.db import connections

from databases.migrating import Result
from databases.registry import models_of
from databases.tenants.registry import Tenant
from databases.tenants.router import TENANT


def install() -> None:
    """Do nothing: the app `databases.foreign` refuses commands that would change a database of someone else."""


def refuse_name(database: str) -> None:
    """Accept every name: the owner of the database chose it."""


def migrate_databases(*, pending_only: bool) -> Iterator[Result]:
    """Skip the database of each tenant: its owner migrates it."""
    for tenant in Tenant.objects.all():
        yield Result(tenant.alias, [], skipped="its owner migrates it")


def make_ready(tenant: Tenant) -> None:
    """Check the database, and change nothing.

    Raises `LookupError` that names a missing file or missing tables, and Django's database errors if the server is
    unavailable.
    """
    alias, connection = tenant.alias, connections[tenant.alias]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith("file:") and not Path(name).exists():
        # SQLite would make an empty file in the owner's folder.
        raise LookupError(f"The database of {alias!r} is missing: there is no file {name}.")
    with connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
    if missing := sorted({model._meta.db_table for model in models_of(TENANT)} - present):
        raise LookupError(
            f"The database of {alias!r} lacks the tables {', '.join(missing)}: ask its owner, or correct its name."
        )
