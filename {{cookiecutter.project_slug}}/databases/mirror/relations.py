"""The relations of a mirrored model, and the models that they lead to."""

from __future__ import annotations

from typing import Any

from django.db.models import ForeignKey, Model

from databases.mirror.router import MIRROR
from databases.registry import models_of


def foreign_keys(model: type[Model]) -> list[Any]:
    """Return the foreign keys and one-to-one fields whose column is in the model's own table."""
    return [field for field in model._meta.local_concrete_fields if isinstance(field, ForeignKey)]


def automatic_links(model: type[Model]) -> list[Any]:
    """Return the many-to-many fields with an automatic table. Rows of a through model are captured like any others."""
    return [field for field in model._meta.local_many_to_many if through_model(field)._meta.auto_created]


def through_model(field: Any) -> type[Model]:
    """Return the through model of a many-to-many field, which may be automatic."""
    through: type[Model] = field.remote_field.through
    return through


def concrete_target(field: Any) -> type[Model]:
    """Return the target model of a relation, or the concrete model of a proxy."""
    target: type[Model] = field.related_model._meta.concrete_model
    return target


def targets_of(model: type[Model]) -> set[type[Model]]:
    """Return the other models that rows of a model refer to, directly or through other models."""
    found: set[type[Model]] = set()
    models = [model]
    while models:
        last = models.pop()
        near = {concrete_target(field) for field in [*foreign_keys(last), *automatic_links(last)]} - found
        found |= near
        models += near
    return found - {model}


def key_columns() -> set[Any]:
    """Return the key columns of mirrored models: primary keys, foreign keys, and the targets of foreign keys."""
    models = models_of(MIRROR)
    keys = [key for model in models for key in foreign_keys(model)]
    return {model._meta.pk for model in models} | {*keys} | {key.target_field for key in keys}
