"""Where models are copied from: a foreign database, and what messages and generated files say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from databases.registry import models_of


@dataclass(frozen=True)
class Source:
    """A foreign database.

    Fields: its alias, the base class of its role's models, its name at the start of a sentence, the command that copies
    from it, and a function that says whether its sessions accept a statement (by default any that is not empty).
    """

    alias: str
    base: Any
    name: str
    importer: str
    accepts: Callable[[str], bool] = bool

    @property
    def role(self) -> str:
        """The role in `APP_DATABASES`."""
        return str(self.base.database_role)

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """The current thread's connection."""
        return connections[self.alias]

    @property
    def base_import(self) -> str:
        """The line that imports the base class. It tells the generated files of one role from those of another."""
        return f"from {self.base.__module__.removesuffix('.models')} import {self.base.__name__}"

    def copied_models(self) -> list[type[models.Model]]:
        """Return the models whose tables it must have, automatic many-to-many tables included."""
        return [each for each in models_of(self.role) if not each._meta.proxy and not each._meta.swapped]
