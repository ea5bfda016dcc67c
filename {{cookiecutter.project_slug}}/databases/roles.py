"""What each database and each model is for: the one place that tells.

An alias has the role of the router that serves it; a model has the role that its base class names.
"""

from __future__ import annotations

from django.db import router
from django.db.models import Model

PRIMARY = "primary"


def role_of_alias(alias: str) -> str:
    """Return the role of a database. Raises `LookupError` for an alias that no router serves."""
    for each in router.routers:
        # Routers of other packages stand in the list too, and have no role.
        if hasattr(each, "serves") and each.serves(alias):
            return str(each.role)
    raise LookupError(f"No router in DATABASE_ROUTERS serves the database {alias!r}: add the router of its role.")


def is_foreign(alias: str) -> bool:
    """Return whether the schema of this database belongs to someone else."""
    return any(getattr(each, "foreign", False) and each.serves(alias) for each in router.routers)


def role_of_model(model: type[Model]) -> str:
    """Return the role of a model."""
    return str(getattr(model, "database_role", PRIMARY))
