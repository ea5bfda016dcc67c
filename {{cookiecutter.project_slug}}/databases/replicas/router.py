"""Sends reads of the primary's models to a replica, if that cannot return outdated data."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from databases.registry import PRIMARY, roles_of_model
from databases.replicas.reading import alias_for_read
from databases.replicas.watch import is_replica

#: Apps that are always read from the primary, because outdated rows would let in users who have lost the right to.
ALWAYS_PRIMARY = {"admin", "auth", "contenttypes", "django_cache"}


class ReplicaRouter:
    """Stands just before `OwnRouter` and shares the models of the primary. That router has the writes and migrations.

    Reads stay on the primary inside a transaction there (so a `TestCase` sees its own rows), after a write in the same
    request, and for objects that were loaded from the primary. Users and the layer's own tables are always read there.
    """

    role = "replica"

    def serves(self, alias: str) -> bool:
        return is_replica(alias)

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        if PRIMARY not in roles_of_model(model) or is_read_from_primary(model):
            return None
        instance: Model | None = hints.get("instance")
        if instance is None or instance._state.db != DEFAULT_DB_ALIAS:
            return alias_for_read()
        # What belongs to a user can be read from a replica, although the user never is.
        return alias_for_read(from_primary=not is_read_from_primary(type(instance)))

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # The primary and its replicas hold the same rows.
        databases = {obj1._state.db, obj2._state.db}
        ours = all(alias == DEFAULT_DB_ALIAS or is_replica(alias) for alias in databases)
        return True if ours and len(databases) > 1 else None


def is_read_from_primary(model: type[Model]) -> bool:
    """Return whether a model, or one that it is derived from or links, is never read from a replica."""
    never = {name.lower() for name in (*ALWAYS_PRIMARY, settings.AUTH_USER_MODEL, *settings.READ_FROM_PRIMARY)}
    if model._meta.app_label in never:
        return True
    # A proxy of the user shows the user's row, in whichever app it is. An automatic table of links belongs to a model.
    related: set[Any] = {model, model._meta.auto_created, *model._meta.all_parents}
    return issubclass(model, AbstractBaseSession) or any(
        {each._meta.app_label.lower(), each._meta.label_lower} & never
        or getattr(apps.app_configs.get(each._meta.app_label), "name", None) in settings.DATABASE_APPS
        for each in related - {None, False}
    )
