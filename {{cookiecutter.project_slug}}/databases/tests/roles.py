"""The roles that this project has besides the primary, and what the layer's tests know of each. It imports no role."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models import Model
from django.utils.module_loading import import_string

from databases.registry import _base_classes, role_of_alias
from databases.testing.settings import LAYER

#: The first app of the layer's tests for each role that has models.
APPS = {role: label for label, role in reversed(settings.APP_DATABASES.items()) if label.startswith(LAYER)}
ROLES = sorted(APPS)
#: The roles whose models need a base class. Models of the others are Django's plain ones.
WITH_BASE_CLASS = [role for role in ROLES if role in _base_classes()]


def model_of(role: str) -> type[Model]:
    """Return a model of the layer's tests."""
    return next(apps.get_app_config(APPS[role]).get_models())


def base_of(role: str) -> type[Model]:
    """Return the base class that models of this role need."""
    return import_string(_base_classes()[role])


def aliases_of(role: str) -> set[str]:
    """Return the databases of a role that the tests have."""
    return {alias for alias in connections if has_role(alias, role)}


def has_role(alias: str, role: str) -> bool:
    """Return whether a database has this role. One that you have added may have none."""
    try:
        return role_of_alias(alias) == role
    except LookupError:
        return False
