"""Looks whether a tenant's database, which someone else made, holds what this project's models expect."""

from __future__ import annotations

from pathlib import Path

from django.db import connections

from ..external import models_of
from .registry import Tenant
from .router import TENANT


def make_ready(tenant: Tenant) -> None:
    """Look, and change nothing.

    Raises `LookupError` naming what is missing, and Django's database errors where the server is out of reach.
    """
    alias, connection = tenant.alias, connections[tenant.alias]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith("file:") and not Path(name).exists():
        # SQLite would make an empty file, in a place that is someone else's.
        raise LookupError(f"The database of {alias!r} is missing: there is no file {name}.")
    with connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
    if missing := sorted({model._meta.db_table for model in models_of(TENANT)} - present):
        raise LookupError(
            f"The database of {alias!r} lacks the tables {', '.join(missing)}: ask its owner, or mend its name."
        )
