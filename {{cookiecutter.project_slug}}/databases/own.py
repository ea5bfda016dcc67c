"""The router of the project's own databases, in `OWN_DATABASES`. It takes every model that no other router claims."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.db.models import Model

from databases.registry import PRIMARY, is_foreign, own_role, role_of_alias, role_of_model, roles_of, roles_of_model


class ForeignInstanceError(DatabaseError):
    """An object that was read from another application's database would have been written to one of our own."""


class OwnRouter:
    """Stands last in `DATABASE_ROUTERS`.

    A router that answers `None` leaves the decision to the next one. This is the last one, so it decides: an app lives
    in the database that its line in `APP_DATABASES` names, and without a line in the primary.
    """

    role = PRIMARY

    def serves(self, alias: str) -> bool:
        return alias in settings.OWN_DATABASES

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return self._home(model)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        home, instance = self._home(model), hints.get("instance")
        # Otherwise `User.objects.using("mirror").first().save()` overwrites our user that has the same key.
        if instance is not None and instance._state.db not in (None, home):
            _check_source(instance, home)
        return home

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # Django's default is right for objects that no other router knows: both must be in the same database.
        return None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        # `hints={"database": …}` on an operation can restrict it to a role or an alias, but never extend it.
        # The app of the seeds may have no role. Then its migrations must not run here.
        ours = self.serves(db) and own_role(db) in roles_of(app_label)
        return ours and hints.get("database") in (None, own_role(db), db)

    def _home(self, model: type[Model]) -> str:
        role = role_of_model(model)
        return role if self.serves(role) else DEFAULT_DB_ALIAS


def refuse_foreign_instance(instance: Model, using: str, **kwargs: Any) -> None:
    """Refuse `save(using=…)` of such an object, which asks no router. Receives Django's signal."""
    if instance._state.db not in (None, using) and using in settings.OWN_DATABASES:
        _check_source(instance, using)


def _check_source(instance: Model, home: str) -> None:
    source = str(instance._state.db)
    if is_foreign(source) and role_of_alias(source) not in roles_of_model(instance):
        raise ForeignInstanceError(
            f"This {instance._meta.label} was read from {source!r}, another application's database, so it is not "
            f"written to {home!r}. To copy its row, save a new object, or set its `_state.db` to None first."
        )
