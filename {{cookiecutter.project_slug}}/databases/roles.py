"""What each database and each model is for: the one place that tells.

An alias has the role of the router that serves it; a model has the role that its base class names.
"""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.models import Model

PRIMARY = "primary"


def role_of_alias(alias: str) -> str:
    """Return the role of a database. Raises `LookupError` for an alias that no router serves."""
    return str(_router_of(alias).role)


def is_foreign(alias: str) -> bool:
    """Return whether the schema of this database belongs to someone else. Raises `LookupError` as above."""
    return bool(getattr(_router_of(alias), "foreign", False))


def role_of_model(model: type[Model]) -> str:
    """Return the role of a model."""
    return str(getattr(model, "database_role", PRIMARY))


def _router_of(alias: str) -> Any:
    for each in router.routers:
        if each.serves(alias):
            return each
    raise LookupError(f"No router in DATABASE_ROUTERS serves the database {alias!r}: add the router of its role.")
