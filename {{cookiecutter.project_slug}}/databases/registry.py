"""Which database each app lives in: the setting `APP_DATABASES`, checked against routers and base classes.

A line of the setting names a role: `mirror`, `tenant`, or the alias of a database in `OWN_DATABASES`. Apps without a
line live in the primary. Routers decide by the app label alone. Django always passes it, so renamed, deleted and
historical models go to the database of their app too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model
from django.utils.module_loading import import_string

from databases.unimported_models import unimported_models

PRIMARY = "primary"


def roles_of(app_label: str) -> frozenset[str]:
    """Return the roles of an app. Only the app of the seeds may have several (`"mirror+tenant"`) or none (`""`)."""
    return frozenset(map(own_role, settings.APP_DATABASES.get(app_label, PRIMARY).split("+")))


def roles_of_model(model: type[Model] | Model) -> frozenset[str]:
    """Return the roles of the app that a model's table belongs to. A proxy may be in another app than its table."""
    # Django's cache in a database asks for a class that is no model, and has no more than an app label.
    return roles_of((getattr(model._meta, "concrete_model", None) or model)._meta.app_label)


def role_of_model(model: type[Model]) -> str:
    """Return the role of a model outside of the seeds."""
    return min(roles_of_model(model))


def models_of(role: str) -> list[type[Model]]:
    """Return the models of a role, automatic many-to-many tables included.

    Raises `AppRegistryNotReady` before all models are loaded.
    """
    return [model for model in apps.get_models(include_auto_created=True) if role in roles_of_model(model)]


def own_role(alias: str) -> str:
    """Return the role of a database in `OWN_DATABASES`."""
    return PRIMARY if alias == DEFAULT_DB_ALIAS else alias


def role_of_alias(alias: str) -> str:
    """Return the role of a database. Raises `LookupError` for an alias that no router serves."""
    for each in _routers():
        if each.serves(alias):
            return own_role(alias) if alias in settings.OWN_DATABASES else str(each.role)
    raise LookupError(f"No router in DATABASE_ROUTERS serves the database {alias!r}: add the router of its role.")


def is_foreign(alias: str) -> bool:
    """Return whether the schema of this database belongs to someone else."""
    return any(getattr(each, "foreign", False) and each.serves(alias) for each in _routers())


def check() -> None:
    """Raise `ImproperlyConfigured` if a model could end up in the wrong database. It names file, class and cure."""
    apps.check_models_ready()
    if found := problems():
        raise ImproperlyConfigured("\n".join(f"({error.id}) {error.msg} {error.hint}" for error in found))


def problems() -> list[Error]:
    """Return an error for each line of `APP_DATABASES`, model or file that leaves it open where rows go."""
    return [*_unknown_apps(), *_unserved_roles(), *_wrong_base_classes(), *_unimported_models()]


def _unknown_apps() -> Iterator[Error]:
    for label in settings.APP_DATABASES:
        if label not in apps.app_configs:
            yield Error(
                f"APP_DATABASES names the app {label!r}, which is not installed.",
                hint="Remove its line from APP_DATABASES in databases.py, or add the app to INSTALLED_APPS.",
                id="databases.E010",
            )


def _unserved_roles() -> Iterator[Error]:
    # Replicas share the models of the primary, so their router writes nothing, and no app lives there.
    served = {each.role for each in _routers() if hasattr(each, "db_for_write")} | {""}
    served |= {*map(own_role, settings.OWN_DATABASES)}
    for label in settings.APP_DATABASES:
        for role in sorted(roles_of(label) - served):
            yield Error(
                f"APP_DATABASES puts the app {label!r} into {role!r}, which is neither an alias in OWN_DATABASES nor "
                "the role of a router.",
                hint="In databases.py correct the line, add the alias to OWN_DATABASES, or add the router of "
                "that role to DATABASE_ROUTERS.",
                id="databases.E001",
            )


def _wrong_base_classes() -> Iterator[Error]:
    bases = _base_classes()
    for model in apps.get_models():
        role, said = role_of_model(model), getattr(model, "database_role", None)
        # The primary's models need no base class of ours. A role without its router is E001, not a wrong class.
        if said != (role if role in bases else None) and (said != role or role in bases):
            label, base = model._meta.app_label, bases.get(role, "django.db.models.Model")
            yield Error(
                f"{_file_of(model)}: class {model.__name__} has the base class of the role {said or PRIMARY!r}, but "
                f"APP_DATABASES puts its app {label!r} into {role!r}.",
                hint=f"Derive it from {base}, correct the line of {label!r} in APP_DATABASES (databases.py), or "
                "move it into another app: all models of an app live in one database.",
                obj=model,
                id="databases.E002",
            )


def _unimported_models() -> Iterator[Error]:
    bases = _base_classes()
    for config in apps.get_app_configs():
        for role in roles_of(config.label) & bases.keys():
            for path, problem in unimported_models(Path(config.path), import_string(bases[role])):
                yield Error(
                    f"{_shortened(path)}: {problem}",
                    hint=f"Import the file in the models module of the app {config.label!r}, or delete it.",
                    obj=config,
                    id="databases.E003",
                )


def _routers() -> list[Any]:
    """Return the routers of this layer. Routers of other packages have no role."""
    return [each for each in router.routers if hasattr(each, "role") and hasattr(each, "serves")]


def _base_classes() -> dict[str, str]:
    """Return the dotted path of the base class that the models of a role need, for the roles that need one."""
    return {each.role: each.base_class for each in _routers() if hasattr(each, "base_class")}


def _file_of(model: type[Model]) -> str:
    return _shortened(Path(getattr(sys.modules.get(model.__module__), "__file__", None) or model.__module__))


def _shortened(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(settings.BASE_DIR) if path.is_relative_to(settings.BASE_DIR) else path)
