"""The registry: which app's models live in which role of database, computed from the models and complete or refused.

One app, one role. Models say their role by their base class (`database_role`); an app without models says it by
`database_roles` on its `AppConfig`; what says nothing belongs to the primary. Routers decide by the app's label alone,
which Django always passes, so that renamed, deleted and historical models go where their app belongs.
"""

from __future__ import annotations

import functools
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.db.models import Model

from .roles import PRIMARY, role_of_model
from .stray_models import stray_classes


@dataclass(frozen=True)
class Registry:
    """The roles of every app, and of every model by `(app_label, model_name)`, automatic tables included."""

    apps: dict[str, frozenset[str]]
    models: dict[tuple[str, str], str]


@functools.cache
def load() -> Registry:
    """Return the registry.

    Raises `AppRegistryNotReady` before all models are loaded, and `ImproperlyConfigured`, naming file, class and cure,
    where it would be incomplete: then again at every use, because a failure is not cached.
    """
    apps.check_models_ready()
    _import_models_packages()
    if found := problems():
        raise ImproperlyConfigured("\n".join(f"({error.id}) {error.msg} {error.hint}" for error in found))
    roles = {config.label: _roles_of_app(config) for config in apps.get_app_configs()}
    models = {
        (model._meta.app_label, str(model._meta.model_name)): next(iter(roles[model._meta.app_label]))
        for model in apps.get_models(include_auto_created=True)
    }
    return Registry(roles, models)


def roles_of(app_label: str) -> frozenset[str]:
    """Return the roles of an app; the primary's for an app that is not installed."""
    return load().apps.get(app_label, frozenset({PRIMARY}))


def models_of(role: str) -> list[type[Model]]:
    """Return the models of a role, automatic many-to-many tables included."""
    return [apps.get_model(*key) for key, each in load().models.items() if each == role]


def problems() -> list[Error]:
    """Return what keeps the registry from being complete."""
    return [*_unserved_roles(), *_mixed_apps(), *_stray_models()]


def _roles_of_app(config: AppConfig) -> frozenset[str]:
    declared: frozenset[str] | None = getattr(config, "database_roles", None)
    if declared is not None:
        return declared
    return frozenset({role_of_model(model) for model in config.get_models()} or {PRIMARY})


def _unserved_roles() -> Iterator[Error]:
    served = {getattr(each, "role", None) for each in router.routers}
    # One error for each role, with a model as its example.
    examples = {role_of_model(model): model for model in reversed(apps.get_models())}
    for role, model in examples.items():
        if role not in served:
            yield Error(
                f"{_file_of(model)}: class {model.__name__} is {role!r}, a role that no router serves.",
                hint="Add the router of that role to DATABASE_ROUTERS, or give the model another base class.",
                obj=model,
                id="databases.E001",
            )


def _mixed_apps() -> Iterator[Error]:
    for config in apps.get_app_configs():
        by_role = {role_of_model(model): model for model in config.get_models()}
        if len(by_role) > 1:
            examples = ", ".join(
                f"{_file_of(model)}: class {model.__name__} ({role})" for role, model in by_role.items()
            )
            yield Error(
                f"The app {config.label!r} mixes models of several databases: {examples}.",
                hint="Move the models of one role into an app of their own.",
                obj=config,
                id="databases.E002",
            )


def _stray_models() -> Iterator[Error]:
    imported = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    configs = {config.name: config for config in _project_apps()}
    folders = {name: Path(config.path) for name, config in configs.items()}
    for name, path, complaint in stray_classes(folders, imported):
        label = configs[name].label
        yield Error(
            f"{_shortened(path)}: {complaint}",
            hint=f"Import it in the models module of the app {label!r}: no table is made for it otherwise.",
            obj=configs[name],
            id="databases.E003",
        )


def _import_models_packages() -> None:
    for config in _project_apps():
        package = config.models_module
        for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{config.name}.models."):
            import_module(module.name)


def _project_apps() -> Iterator[AppConfig]:
    for config in apps.get_app_configs():
        # Resolved, as BASE_DIR is: the project may have been started through a symbolic link.
        path = Path(config.path).resolve()
        if path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts:
            yield config


def _file_of(model: type[Model]) -> str:
    return _shortened(Path(sys.modules[model.__module__].__file__ or model.__module__))


def _shortened(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(settings.BASE_DIR) if path.is_relative_to(settings.BASE_DIR) else path)
