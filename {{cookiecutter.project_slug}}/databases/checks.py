"""System checks of the core. E001, E002, E003 and E010 are in `registry`, because they stop every start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db.models import Field, Model

from databases.registry import role_of_model

#: Middleware of Django that queries the database. The layer's middleware must come before it.
DATABASE_READERS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
PRIMARY_ROUTER = "databases.primary.PrimaryRouter"


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_relations, checks.Tags.models)
    checks.register(check_middleware)
    checks.register(check_routers)


def check_relations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each relation between two databases: no engine can enforce it.

    Source: Django documentation, Multiple databases, Cross-database relations.
    """
    return [error for model in apps.get_models() for error in crossing_relations(model)]


def crossing_relations(model: type[Model]) -> Iterator[checks.Error]:
    """Yield the errors of one model."""
    for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
        target = field.related_model
        if isinstance(target, type) and issubclass(target, Model) and role_of_model(model) != role_of_model(target):
            yield _crossing(model, field, target)


def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each middleware of the layer that is missing from `MIDDLEWARE` or comes too late."""
    found = list(settings.MIDDLEWARE)
    readers = [found.index(name) for name in DATABASE_READERS if name in found]
    last = min(readers, default=len(found))
    wrong = [name for name in settings.DATABASE_MIDDLEWARE if name not in found[:last]]
    return [
        checks.Error(
            f"{name} comes after {found[last]} in MIDDLEWARE, which queries the database first."
            if name in found
            else f"{name} is missing from MIDDLEWARE.",
            hint="Put *DATABASE_MIDDLEWARE into MIDDLEWARE in config/settings.py, before SessionMiddleware.",
            id="databases.E011",
        )
        for name in wrong
    ]


def check_routers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error unless the primary's router is the last one: it answers every question, so it hides the next."""
    if settings.DATABASE_ROUTERS and settings.DATABASE_ROUTERS[-1] == PRIMARY_ROUTER:
        return []
    return [
        checks.Error(
            f"The last entry of DATABASE_ROUTERS is not {PRIMARY_ROUTER}. Django never asks a router after it.",
            hint=f"Put {PRIMARY_ROUTER} at the end of DATABASE_ROUTERS in config/databases.py.",
            id="databases.E015",
        )
    ]


def _crossing(model: type[Model], field: Field[Any, Any], target: type[Model]) -> checks.Error:
    here, there = role_of_model(model), role_of_model(target)
    return checks.Error(
        f"{field} points from the {here} database to {target._meta.label} in the {there} database.",
        hint=f"Keep the key in a plain column, such as {field.name}_id = models.BigIntegerField(db_index=True), "
        "and look the other object up in its own database.",
        obj=model,
        id="databases.E004",
    )
