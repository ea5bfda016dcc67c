"""The fixtures of the app `seeds`: a folder with one JSON file per role, named after it.

Settings import this module before apps are loaded, so nothing in it needs a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def seeded_apps(folder: Path, role: str) -> list[str]:
    """Return the labels of the apps whose rows are in the fixture of a role, in its order."""
    records = json.loads((folder / f"{role}.json").read_text(encoding="utf-8"))
    return list(dict.fromkeys(record["model"].partition(".")[0] for record in records))


def seeded_roles(folder: Path) -> list[str]:
    """Return the roles whose fixture has rows. A folder that is missing or empty has none."""
    return sorted(path.stem for path in folder.glob("*.json") if seeded_apps(folder, path.stem))


def all_seeded_apps(folder: Path) -> list[str]:
    """Return the labels of all apps that have rows in a fixture."""
    return [label for role in seeded_roles(folder) for label in seeded_apps(folder, role)]


def roles_of_seeds(folder: Path, app_databases: Mapping[str, str]) -> str:
    """Return what `APP_DATABASES` says of the app `seeds`: the roles that have rows and apps, `""` for none."""
    return "+".join(role for role in seeded_roles(folder) if role in app_databases.values())


def check_installed(folder: Path, labels: set[str]) -> None:
    """Raise `ImproperlyConfigured` for rows of an app that is not among the labels of the installed ones."""
    for role in seeded_roles(folder):
        for label in seeded_apps(folder, role):
            if label not in labels:
                raise ImproperlyConfigured(
                    f"{folder.parent.name}/fixtures/{role}.json has rows of the app {label!r}, which is not installed: "
                    "delete the rows or the file."
                )
