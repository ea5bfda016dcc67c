"""Finds the files of copied models, and writes all of them or none."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from django.apps import apps
from django.conf import settings

from databases.mirror.router import MIRROR
from databases.registry import roles_of

APPS = """from django.apps import AppConfig


class {name}Config(AppConfig):
    name = "{app}"
    default_auto_field = "django.db.models.BigAutoField"
"""


class ImportRefusedError(Exception):
    """The import is not possible as requested, and nothing was written."""


def app_for(label: str) -> str:
    """Return the label for the copy of an app: the same label, or `upstream_<label>` if a package here has that name.

    Raises `ImportRefusedError` if both are taken, or if the app was written and is not installed.
    """
    for app in (label, f"upstream_{label}"):
        if roles_of(app) == {MIRROR}:
            return app
        models = settings.BASE_DIR / app / "models.py"
        if models.exists() and "MirrorModel" in models.read_text(encoding="utf-8"):
            raise ImportRefusedError(
                f"{app}/ exists and is not installed: add {app!r} to INSTALLED_APPS and to APP_DATABASES first."
            )
        if app.isidentifier() and not iskeyword(app) and app not in apps.app_configs and find_spec(app) is None:
            return app
    raise ImportRefusedError(
        f"The app {label!r} cannot be copied: the names {label!r} and 'upstream_{label}' are taken."
    )


def files_of_app(app: str) -> dict[Path, bytes]:
    """Return the files of a new app other than its models, and none for an installed app."""
    if app in apps.app_configs:
        return {}
    folder = settings.BASE_DIR / app
    config = APPS.format(app=app, name=app.title().replace("_", ""))
    return {folder / "__init__.py": b"", folder / "apps.py": config.encode(), folder / "migrations/__init__.py": b""}


def models_file(app: str) -> Path:
    """Return the file for new models of an app. In a package of models, its `__init__` must import that file."""
    folder = Path(apps.get_app_config(app).path) if app in apps.app_configs else settings.BASE_DIR / app
    return folder / "models/imported.py" if (folder / "models").is_dir() else folder / "models.py"


def is_project_file(path: Path) -> bool:
    """Return whether a file is a source of this project."""
    path = path.resolve()
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def relative_path(path: Path) -> str:
    """Return a path relative to the project's folder."""
    path = path.resolve()
    return path.relative_to(settings.BASE_DIR).as_posix() if path.is_relative_to(settings.BASE_DIR) else str(path)


def write(files: dict[Path, bytes]) -> None:
    """Write all files beside their targets, then replace the targets: each file is complete at every moment."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_bytes(content)
        if path.exists():
            shutil.copymode(path, temporary)
    for path in files:
        path.with_name(f"{path.name}.new").replace(path)
