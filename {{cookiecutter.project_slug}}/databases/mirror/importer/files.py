"""Where the files of copied models are, and how they are written: all of them, or none."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from django.apps import apps
from django.conf import settings

from ...external import load
from ..router import MIRROR

APPS = """from django.apps import AppConfig


class {name}Config(AppConfig):
    name = "{app}"
    default_auto_field = "django.db.models.BigAutoField"
"""


class ImportRefusedError(Exception):
    """The import cannot be done as it was asked for; nothing has been written."""


def app_for(label: str) -> str:
    """Return the label here of an app of the other application: its own, or one that no package of ours has.

    Raises `ImportRefusedError` where both are taken, or where the app has been written and is not installed.
    """
    for app in (label, f"upstream_{label}"):
        if load().apps.get(app) == frozenset({MIRROR}):
            return app
        models = settings.BASE_DIR / app / "models.py"
        if models.exists() and "MirrorModel" in models.read_text(encoding="utf-8"):
            raise ImportRefusedError(f"{app}/ is there and not installed: add {app!r} to INSTALLED_APPS first.")
        if app.isidentifier() and not iskeyword(app) and app not in load().apps and find_spec(app) is None:
            return app
    raise ImportRefusedError(f"There is no name for the app {label!r}: it and 'upstream_{label}' are taken.")


def files_of_app(app: str) -> dict[Path, bytes]:
    """Return what an app needs beside its models; nothing for one that is installed."""
    if app in load().apps:
        return {}
    folder = settings.BASE_DIR / app
    config = APPS.format(app=app, name=app.title().replace("_", ""))
    return {folder / "__init__.py": b"", folder / "apps.py": config.encode(), folder / "migrations/__init__.py": b""}


def models_file(app: str) -> Path:
    """Return the file that takes new models of an app. In a package of models it is one that the registry imports."""
    folder = Path(apps.get_app_config(app).path) if app in load().apps else settings.BASE_DIR / app
    return folder / "models/imported.py" if (folder / "models").is_dir() else folder / "models.py"


def is_ours(path: Path) -> bool:
    """Return whether a file is one of this project's sources."""
    path = path.resolve()
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def shortened(path: Path) -> str:
    """Return a path as seen from the project's folder."""
    path = path.resolve()
    return path.relative_to(settings.BASE_DIR).as_posix() if path.is_relative_to(settings.BASE_DIR) else str(path)


def write(files: dict[Path, bytes]) -> None:
    """Write files. Each is complete at every moment, and none is changed before all of them have been written."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_bytes(content)
        if path.exists():
            shutil.copymode(path, beside)
    for path in files:
        path.with_name(f"{path.name}.new").replace(path)
