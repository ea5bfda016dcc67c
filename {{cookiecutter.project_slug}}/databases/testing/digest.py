"""One digest of all that decides what is in a migrated test database.

A migration and a receiver of `post_migrate` may run any code and read any file of the project. So the digest covers all
of them, except for test modules, which change most often. It does not cover the clock and the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from databases.testing.names import PROJECT

#: Others are in files. These may also come from the environment, or from another settings module.
SETTINGS = (
    *("APP_DATABASES", "AUTH_USER_MODEL", "CACHES", "DATABASE_ROUTERS", "DEFAULT_AUTO_FIELD", "DEFAULT_TABLESPACE"),
    *("FIXTURE_DIRS", "INSTALLED_APPS", "LANGUAGE_CODE", "SITE_ID", "TIME_ZONE", "USE_TZ"),
)
DATA = (".csv", ".json", ".jsonl", ".sql", ".tsv", ".txt", ".xml", ".yaml", ".yml")
#: Folders whose files may all be data, whatever they are called.
INPUTS = {"fixtures", "migrations"}
#: Folders that programs write. Hidden folders and virtual environments do not count either.
OUTPUTS = {"__pycache__", "htmlcov", "node_modules"}
#: Bytes. Larger files count by size and time of change, because reading them would take longer than migrating.
LARGE = 1_000_000


def digest() -> str:
    """Return ten hexadecimal digits, which are equal for equal sources, packages and settings, wherever they are."""
    found = hashlib.blake2b(json.dumps(_settings(), default=_name, sort_keys=True).encode(), digest_size=5)
    outputs = {str(getattr(settings, name, None) or "").rstrip("/") for name in ("MEDIA_ROOT", "STATIC_ROOT")}
    for root in _roots():
        for entry in _sources(root, outputs):
            size = entry.stat().st_size
            found.update(f"\0{entry.path[len(root) :]}\0{size}\0".encode())
            if size < LARGE:
                with open(entry.path, "rb") as file:  # noqa: PTH123
                    found.update(file.read())
            else:
                found.update(str(entry.stat().st_mtime_ns).encode())
    return found.hexdigest()


def _settings() -> list[Any]:
    """Return the settings, the versions of all installed packages, and the modules of migrations (`--nomigrations`)."""
    # The server's address and the name are left out, because a template is looked up on its own server.
    left_out = ("HOST", "NAME", "PASSWORD", "PORT", "TEST")
    databases = {
        alias: {**{key: value for key, value in config.items() if key not in left_out}, **config["TEST"], "NAME": ""}
        for alias, config in settings.DATABASES.items()
    }
    packages = {each.name for folder in sys.path for each in Path(folder).glob("*-info")}
    modules = [MigrationLoader.migrations_module(app.label) for app in apps.get_app_configs()]
    values = {name: getattr(settings, name, None) for name in SETTINGS}
    return [django.get_version(), databases, sorted(packages), modules, values]


def _name(value: object) -> str:
    # Not repr(), which may contain an address in memory.
    return str(value) if isinstance(value, Path) else str(getattr(value, "__qualname__", type(value).__qualname__))


def _roots() -> list[str]:
    """Return the project's folder, and the folders of apps that are neither in it nor in an installed package."""
    packages = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    folders = [Path(app.path).resolve() for app in apps.get_app_configs()]
    others = {str(each) for each in folders if not any(map(each.is_relative_to, [PROJECT, *packages]))}
    return [str(PROJECT), *sorted(others)]


def _sources(folder: str, outputs: Collection[str], all_files: bool = False) -> Iterator[os.DirEntry[str]]:
    """Yield the files that count, in a fixed order. Arguments: the folder, and folders to leave out."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if any(entry.name == "pyvenv.cfg" for entry in found):
        return
    for entry in found:
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            if not name.startswith(".") and name not in OUTPUTS and entry.path not in outputs:
                yield from _sources(entry.path, outputs, all_files or name in INPUTS)
        elif entry.is_file():
            is_code = name.endswith(".py") and not name.startswith(("test", "conftest."))
            if is_code or all_files or name == ".env" or name.endswith(DATA):
                yield entry
