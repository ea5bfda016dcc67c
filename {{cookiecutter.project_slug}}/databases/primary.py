"""The router that takes what no other router claimed: everything else lives in the project's own database."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from .roles import PRIMARY


class PrimaryRouter:
    """Stands last in `DATABASE_ROUTERS`.

    A router that answers `None` leaves the decision to the next one; nothing stands behind this one, so it decides.
    """

    role = PRIMARY

    def serves(self, alias: str) -> bool:
        return alias == DEFAULT_DB_ALIAS

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        # Django's own answer, "same database or not", is right for objects that no other router knows.
        return None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        # A `hints={"database": …}` on an operation narrows it to one role or alias, never widens it.
        return db == DEFAULT_DB_ALIAS and hints.get("database") in (None, self.role, db)
