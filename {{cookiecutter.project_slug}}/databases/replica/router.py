"""Reads of the primary's models go to a replica where that cannot show the past; writes are the primary's."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from .health import is_replica
from .pinning import read_alias

#: Whose rows must be true now: who is logged in, what they may do, and what this project notes about its databases.
ALWAYS_PRIMARY = {"admin", "auth", "contenttypes", "databases", "sessions"}


class ReplicaRouter:
    """Stands just before the primary's router and shares its models: writes and migrations are that one's.

    Reads stay on the primary inside a transaction there (which also lets `TestCase` see its own rows), after a write
    in the same request, and for objects that were loaded from the primary.
    """

    role = "replica"

    def serves(self, alias: str) -> bool:
        return is_replica(alias)

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        alias = read_alias()
        if alias == DEFAULT_DB_ALIAS or model._meta.app_label in ALWAYS_PRIMARY:
            return None
        instance = hints.get("instance")
        if instance is not None and instance._state.db == DEFAULT_DB_ALIAS:
            return None
        return None if connections[DEFAULT_DB_ALIAS].in_atomic_block else alias

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # The same rows, whichever copy they came from.
        databases = {obj1._state.db, obj2._state.db}
        ours = all(alias == DEFAULT_DB_ALIAS or is_replica(str(alias)) for alias in databases)
        return True if ours and len(databases) > 1 else None
