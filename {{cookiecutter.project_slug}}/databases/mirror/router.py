"""Reads of mirrored models go to the mirror. Writes are refused, except in test mode."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from databases.foreign.mode import is_test_database
from databases.mirror.errors import MirrorWriteError
from databases.registry import roles_of, roles_of_model

MIRROR = "mirror"


class MirrorRouter:
    """Has two modes, chosen by `is_test_database`.

    - In production the mirror is only read, and nothing is migrated there.
    - In test mode the alias points at a database that the test run created. Migrations, seeds and tests may write it.
    """

    role = MIRROR
    base_class = "databases.mirror.MirrorModel"
    #: Its schema belongs to someone else.
    foreign = True

    def serves(self, alias: str) -> bool:
        return alias == MIRROR

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return MIRROR if self._owns(model) else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        if not self._owns(model):
            return None
        if not is_test_database(MIRROR):
            raise MirrorWriteError(
                f"{model._meta.label} lives in {MIRROR!r}, another application's database, which this project only "
                "reads. Write it there, or keep your own data in a model of your own that holds its key."
            )
        return MIRROR

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        owned = [self._owns(obj1), self._owns(obj2)]
        return all(owned) if any(owned) else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        ours = MIRROR in roles_of(app_label)
        if db == MIRROR:
            return ours and is_test_database(db) and hints.get("database") in (None, self.role)
        return False if ours and db == DEFAULT_DB_ALIAS else None

    def _owns(self, model: type[Model] | Model) -> bool:
        return MIRROR in roles_of_model(model)
