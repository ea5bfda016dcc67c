"""System checks of the database layer. The registry's own, E001 to E003, stand in `external`: they stop every start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.db.models import Field, Model

from .roles import role_of_model


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_relations, checks.Tags.models)


def check_relations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each relation whose ends live in different databases: no engine can keep such a promise.

    Source: Django documentation, Multiple databases, Cross-database relations.
    """
    return [error for model in apps.get_models() for error in crossing_relations(model)]


def crossing_relations(model: type[Model]) -> Iterator[checks.Error]:
    """Yield the errors of one model."""
    for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
        target = field.related_model
        if isinstance(target, type) and issubclass(target, Model) and role_of_model(model) != role_of_model(target):
            yield _crossing(model, field, target)


def _crossing(model: type[Model], field: Field[Any, Any], target: type[Model]) -> checks.Error:
    here, there = role_of_model(model), role_of_model(target)
    return checks.Error(
        f"{field} points from the {here} database to {target._meta.label} in the {there} database.",
        hint=f"Keep the key in a plain column, such as {field.name}_id = models.BigIntegerField(db_index=True), "
        "and look the other object up in its own database.",
        obj=model,
        id="databases.E004",
    )
