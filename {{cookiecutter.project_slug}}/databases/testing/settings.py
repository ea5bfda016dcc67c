"""Turns the project's settings into settings for its tests. Each role does its part in its `settings_test.py`."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import SQLITE, beside, from_url
from databases.testing.names import test_database_name

#: The prefix of the labels of the apps that the layer's own tests work on.
LAYER = "layer_"


def configure(settings: dict[str, Any]) -> None:
    """Change settings in place: declare test databases, and install the apps of the layer's own tests.

    It removes every database but the primary from `DATABASES`, because tests must not reach a production server, and
    declares a test database for each in `OWN_DATABASES`: at `TEST_<ALIAS>_DATABASE_URL`, or beside the primary's.
    Raises `ImproperlyConfigured` if that would be on another engine than outside of tests.
    """
    production, primary = settings["DATABASES"], settings["DATABASES"]["default"]
    settings["DATABASES"] = {"default": primary}
    for alias in settings["OWN_DATABASES"][1:]:
        # An alias without an entry is E018.
        variable, engine = f"TEST_{alias.upper()}_DATABASE_URL", production.get(alias, primary)["ENGINE"]
        if url := os.environ.get(variable):
            settings["DATABASES"][alias] = from_url(url, variable)
        elif engine == primary["ENGINE"]:
            settings["DATABASES"][alias] = beside(primary, alias)
        elif engine == SQLITE:
            # In memory: see below.
            settings["DATABASES"][alias] = production[alias]
        else:
            raise ImproperlyConfigured(f"{variable} must be the URL of a {engine} server, because {alias!r} is on one.")
    settings["TEST_RUNNER"] = "databases.testing.templates.TemplateRunner"
    add_test_apps(settings)
    for part in parts(settings):
        part.configure(settings)
    for alias, database in settings["DATABASES"].items():
        # PostgreSQL copies no database to which a pool holds connections.
        database.get("OPTIONS", {}).pop("pool", None)
        if alias != "default" and database["ENGINE"] == SQLITE:
            # Otherwise makemigrations, which connects to every database, would leave an empty file for each.
            database["NAME"] = ":memory:"
        if "MIRROR" not in database.get("TEST", {}):
            # Django lets each database wait for `default`, which a run of tests that do not use it never creates.
            database["TEST"] = {"NAME": test_database_name(alias, primary, database), "DEPENDENCIES": []}


def add_test_apps(settings: dict[str, Any]) -> None:
    """Install the apps that the layer's own tests work on, in place."""
    settings["INSTALLED_APPS"] += ["databases.tests.notebook"]
    for part in parts(settings):
        for app, role in part.TEST_APPS.items():
            settings["INSTALLED_APPS"] += [app]
            settings["APP_DATABASES"][LAYER + app.rpartition(".")[2]] = role


def parts(settings: dict[str, Any]) -> list[Any]:
    """Return the module `settings_test` of each role."""
    names = [f"{app}.settings_test" for app in settings["DATABASE_APPS"]]
    return [import_module(name) for name in names if find_spec(name)]
