"""One digest of all that decides what is in a migrated test database.

A migration and a receiver of `post_migrate` may run any code and read any file of the project. So the digest covers all
files except test modules, which change most often, hidden files, and what programs write. It follows no links to
folders, and it covers neither the clock nor the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from databases.environment import PROJECT
from databases.testing.names import STARTED

#: Others are in files. These may also come from the environment, or from another settings module.
SETTINGS = (
    *("APP_DATABASES", "AUTH_USER_MODEL", "CACHES", "DATABASE_ROUTERS", "DEFAULT_AUTO_FIELD", "DEFAULT_TABLESPACE"),
    *("FIXTURE_DIRS", "INSTALLED_APPS", "LANGUAGE_CODE", "SITE_ID", "TIME_ZONE", "USE_TZ"),
)
#: Files that count by their content, so that all checkouts have one digest. Others, and large ones (bytes), count by
#: size and time of change, because reading them could take longer than migrating.
SOURCES = (
    *(".csv", ".html", ".json", ".jsonl", ".md", ".po", ".py"),
    *(".sql", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml"),
)
LARGE = 1_000_000
#: Folders whose files all count, whatever they are called.
INPUTS = {"fixtures", "migrations"}
#: Folders and files that programs write. Virtual environments, MEDIA_ROOT and STATIC_ROOT do not count either.
OUTPUTS = {"__pycache__", "coverage.json", "coverage.xml", "htmlcov", "junit.xml", "node_modules"}
OUTPUT = re.compile(r".*\.(log|pyc|sqlite3?|db)(-\w+)?")
THIS_PROCESS = os.urandom(8)
TEST_MODULE = re.compile(r"(conftest|tests?|test_.*|.*_tests?)\.py")


def digest() -> str:
    """Return ten hexadecimal digits, which are equal for equal sources, packages and settings, wherever they are."""
    found = hashlib.blake2b(json.dumps(_settings(), default=_name, sort_keys=True).encode(), digest_size=5)
    outputs = {str(getattr(settings, name, None) or "").rstrip("/") for name in ("MEDIA_ROOT", "STATIC_ROOT")}
    for root in _roots():
        for entry in _sources(root, outputs):
            stat = entry.stat()
            found.update(f"\0{entry.path[len(root) :]}\0{stat.st_size}\0".encode())
            if stat.st_size < LARGE and entry.name.endswith(SOURCES):
                with open(entry.path, "rb") as file:  # noqa: PTH123
                    found.update(file.read())
            else:
                found.update(str(stat.st_mtime_ns).encode())
            if max(stat.st_mtime, stat.st_ctime) > STARTED:
                # This process may have imported the older version, so no other one may use what it builds.
                found.update(THIS_PROCESS)
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
            is_output = name.startswith(".") or name in OUTPUTS or OUTPUT.fullmatch(name)
            if all_files or name == ".env" or not (is_output or TEST_MODULE.fullmatch(name)):
                yield entry
