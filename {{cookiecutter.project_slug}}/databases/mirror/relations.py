"""What a model leads to: its foreign keys, and its many-to-many fields."""

from __future__ import annotations

from typing import Any

from django.db.models import ForeignKey, Model

from ..external import models_of
from .router import MIRROR


def foreign_keys(model: type[Model]) -> list[Any]:
    """Return the foreign keys and one-to-one fields with a column in the model's own table."""
    return [field for field in model._meta.local_concrete_fields if isinstance(field, ForeignKey)]


def automatic_links(model: type[Model]) -> list[Any]:
    """Return the many-to-many fields whose table Django made; one with a through model has rows like any other."""
    return [field for field in model._meta.local_many_to_many if through_model(field)._meta.auto_created]


def through_model(field: Any) -> type[Model]:
    """Return the model of the links of a many-to-many field."""
    through: type[Model] = field.remote_field.through
    return through


def concrete_target(field: Any) -> type[Model]:
    """Return the model that a relation leads to; for a proxy the model behind it, which has the rows."""
    target: type[Model] = field.related_model._meta.concrete_model
    return target


def leads_to(model: type[Model]) -> set[type[Model]]:
    """Return the other models that a row may need or be linked with, at any distance."""
    found: set[type[Model]] = set()
    models = [model]
    while models:
        last = models.pop()
        near = {concrete_target(field) for field in [*foreign_keys(last), *automatic_links(last)]} - found
        found |= near
        models += near
    return found - {model}


def key_columns() -> set[Any]:
    """Return the columns of mirrored models that rows are found by: primary keys, foreign keys, what these lead to."""
    models = models_of(MIRROR)
    keys = [key for model in models for key in foreign_keys(model)]
    return {model._meta.pk for model in models} | {*keys} | {key.target_field for key in keys}
