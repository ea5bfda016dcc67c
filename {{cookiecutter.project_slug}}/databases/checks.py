"""System checks of the core. E001, E002, E003 and E010 are in `registry`, because they stop every start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Field, Model

from databases.environment import address_of
from databases.registry import PRIMARY, is_foreign, role_of_model

#: Middleware of Django that queries the database. The layer's middleware must come before it.
DATABASE_READERS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
LAST_ROUTER = "databases.own.OwnRouter"


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_relations, checks.Tags.models)
    checks.register(check_middleware)
    checks.register(check_own_databases)
    checks.register(check_routers)
    checks.register(check_hidden_routers)
    checks.register(check_order_of_apps)


def check_relations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each relation between two databases: no engine can enforce it.

    Source: Django documentation, Multiple databases, Cross-database relations.
    """
    return [error for model in apps.get_models() for error in crossing_relations(model)]


def crossing_relations(model: type[Model]) -> Iterator[checks.Error]:
    """Yield the errors of one model."""
    # Private fields: a GenericRelation reads content types, which are in one database.
    for field in (*model._meta.local_fields, *model._meta.local_many_to_many, *model._meta.private_fields):
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
            hint="Put *DATABASE_MIDDLEWARE into MIDDLEWARE in settings.py, before SessionMiddleware.",
            id="databases.E011",
        )
        for name in wrong
    ]


def check_own_databases(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each alias in `OWN_DATABASES` without an entry, or with the address of another one.

    Two aliases of one database would lack the tables of the second. In another application's database,
    `migrate_databases` would create ours. Addresses are compared as they are written.
    """
    problems: dict[str, str] = {}
    found: dict[str, str] = {}
    for alias in settings.OWN_DATABASES:
        if alias not in connections.settings:
            problems[alias] = "is in OWN_DATABASES and not in DATABASES"
        # Databases in memory are apart, although their names are equal.
        elif connections.settings[alias]["NAME"] != ":memory:":
            other = found.setdefault(address_of(connections.settings[alias]), alias)
            if other != alias:
                problems[alias] = f"is the same database as {other!r}"
    for alias, config in connections.settings.items():
        own = found.get(address_of(config))
        if own and own != alias and is_foreign(alias):
            problems[own] = f"is the same database as {alias!r}, which belongs to another application"
    return [
        checks.Error(
            f"{alias!r} {problem}.",
            hint="Give each alias in OWN_DATABASES an entry in DATABASES for another database (databases.py).",
            id="databases.E018",
        )
        for alias, problem in problems.items()
    ]


def check_routers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error unless the router of own databases is the last one: it has an answer for every app."""
    if settings.DATABASE_ROUTERS and settings.DATABASE_ROUTERS[-1] == LAST_ROUTER:
        return []
    return [
        checks.Error(
            f"The last entry of DATABASE_ROUTERS is not {LAST_ROUTER}. Django never asks a router after it.",
            hint=f"Put {LAST_ROUTER} at the end of DATABASE_ROUTERS in databases.py.",
            id="databases.E015",
        )
    ]


def check_hidden_routers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each router of yours that answers for a role's app before the role's own router is asked."""
    errors: list[checks.CheckMessage] = []
    for place, each in enumerate(router.routers):
        if hasattr(each, "serves"):
            continue
        hidden = {later.role for later in router.routers[place:] if hasattr(later, "serves")} - {PRIMARY}
        models = [model for model in apps.get_models() if role_of_model(model) in hidden and _answers(each, model)]
        errors += [
            checks.Error(
                f"{type(each).__name__} answers for {model._meta.label} before the router of the role "
                f"{role_of_model(model)!r} is asked, so its rows would go to another database.",
                hint="Let it return None for apps that are not its own, or put it after that router in "
                "DATABASE_ROUTERS (databases.py).",
                obj=model,
                id="databases.E016",
            )
            for model in models
        ]
    return errors


def check_order_of_apps(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error where Django's admin comes first: a template of the layer takes the place of one of the admin."""
    names = [config.name for config in apps.get_app_configs()]
    if "django.contrib.admin" not in names:
        return []
    late = [name for name in settings.DATABASE_APPS if name not in names[: names.index("django.contrib.admin")]]
    if not late:
        return []
    return [
        checks.Error(
            f"{', '.join(late)} must come before 'django.contrib.admin' in INSTALLED_APPS.",
            hint="Put *DATABASE_APPS at the beginning of INSTALLED_APPS in settings.py.",
            id="databases.E017",
        )
    ]


def _answers(each: Any, model: type[Model]) -> bool:
    """Return whether a router decides anything about a model."""
    asked = [getattr(each, name) for name in ("db_for_read", "db_for_write") if hasattr(each, name)]
    if any(method(model) is not None for method in asked):
        return True
    return hasattr(each, "allow_migrate") and bool(each.allow_migrate(DEFAULT_DB_ALIAS, model._meta.app_label))


def _crossing(model: type[Model], field: Field[Any, Any], target: type[Model]) -> checks.Error:
    here, there = role_of_model(model), role_of_model(target)
    cure = (
        f"Keep the key in a plain column, such as {field.name}_id = models.BigIntegerField(db_index=True), and load "
        "the objects on the other side with databases.load_related()"
    )
    if field.many_to_many or field.one_to_many:
        cure = "Keep both keys in plain columns of a separate model"
    elif getattr(field.remote_field, "parent_link", False):
        cure = "Derive it from an abstract class"
    return checks.Error(
        f"{field} points from the {here} database to {target._meta.label} in the {there} database.",
        hint=f"{cure}. If you cannot change the model, put both apps into one database (APP_DATABASES).",
        obj=model,
        id="databases.E004",
    )
