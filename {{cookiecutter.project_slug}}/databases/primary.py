"""The router of the primary, the project's own database. It takes every model that no other router claims."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from databases.registry import PRIMARY, roles_of


class PrimaryRouter:
    """Stands last in `DATABASE_ROUTERS`.

    A router that answers `None` leaves the decision to the next one. This is the last one, so it decides.
    """

    role = PRIMARY

    def serves(self, alias: str) -> bool:
        return alias == DEFAULT_DB_ALIAS

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # Django's default is right for objects that no other router knows: both must be in the same database.
        return None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        # `hints={"database": …}` on an operation can restrict it to a role or an alias, but never extend it.
        # The app of the seeds may have no role. Then its migrations must not run here.
        ours = db == DEFAULT_DB_ALIAS and PRIMARY in roles_of(app_label)
        return ours and hints.get("database") in (None, self.role, db)
