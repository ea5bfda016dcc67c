"""Sends reads of the primary's models to a replica, if that cannot return outdated data."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from databases.registry import PRIMARY, roles_of_model
from databases.replicas.health import is_replica
from databases.replicas.pinning import alias_for_read

#: Apps that are always read from the primary, because outdated rows would let in users who have lost the right to.
ALWAYS_PRIMARY = {"admin", "auth", "contenttypes", "sessions"}


class ReplicaRouter:
    """Stands just before `OwnRouter` and shares the models of the primary. That router has the writes and migrations.

    Reads stay on the primary inside a transaction there (so a `TestCase` sees its own rows), after a write in the same
    request, and for objects that were loaded from the primary. Users and the layer's own tables are always read there.
    """

    role = "replica"

    def serves(self, alias: str) -> bool:
        return is_replica(alias)

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        alias = alias_for_read()
        if alias == DEFAULT_DB_ALIAS or PRIMARY not in roles_of_model(model) or _is_always_primary(model):
            return None
        instance = hints.get("instance")
        if instance is not None and instance._state.db == DEFAULT_DB_ALIAS:
            return None
        return None if connections[DEFAULT_DB_ALIAS].in_atomic_block else alias

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # The primary and its replicas hold the same rows.
        databases = {obj1._state.db, obj2._state.db}
        ours = all(alias == DEFAULT_DB_ALIAS or is_replica(str(alias)) for alias in databases)
        return True if ours and len(databases) > 1 else None


def _is_always_primary(model: type[Model]) -> bool:
    # A proxy of the user in any app shows the user's row.
    model = model._meta.concrete_model or model
    app = apps.app_configs.get(model._meta.app_label)
    return (
        model._meta.app_label in ALWAYS_PRIMARY
        or model._meta.label == settings.AUTH_USER_MODEL
        or (app is not None and app.name in settings.DATABASE_APPS)
    )
