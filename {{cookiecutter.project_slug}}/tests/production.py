"""Processes of their own, with the project's own settings and an environment such as production has.

What tests switch on must not be what protects production: these processes know nothing of the test run.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connections

from databases.connections import ENGINES

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SECRET_KEY": "a key of production",
    "DEBUG": "off",
    "ALLOWED_HOSTS": "example.com,.example.com",
    # Nothing is at these places: a test names the databases that its process is to reach.
    "DATABASE_URL": "sqlite:////nowhere/primary.sqlite3",
    # % if cookiecutter.__mirror
    "MIRROR_DATABASE_URL": "sqlite:////nowhere/mirror.sqlite3",
    # % endif
    # % if cookiecutter.__replica
    "REPLICA_DATABASE_URLS": "sqlite:////nowhere/replica.sqlite3",
    # % endif
    # % if cookiecutter.__tenants
    "SITE_DOMAIN": "example.com",
    "TENANT_DATABASE_URL": "sqlite:////nowhere/{name}.sqlite3",
    "TENANT_SERVERS": "",
    # % endif
}
#: Runs commands, one after the other: reads the words and the settings of each as a line of JSON, and answers so.
LOOP = """
import contextlib, io, json, sys
from django.core.management import execute_from_command_line
from django.test import override_settings
answers = sys.stdout
for line in sys.stdin:
    words, changed = json.loads(line)
    said, code = (io.StringIO(), io.StringIO()), 0
    with contextlib.redirect_stdout(said[0]), contextlib.redirect_stderr(said[1]), override_settings(**changed):
        try:
            execute_from_command_line(["manage.py", *words])
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, *(each.getvalue() for each in said)]), file=answers, flush=True)
"""
#: What a process needs of the caller's environment to start at all.
KEPT = ("PATH", "HOME", "PYTHONPATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
#: Byte code is taken along: it belongs to its source by time and size, and saves each process the compiling.
NOT_SOURCES = (".*", "*.sqlite3", "media", "node_modules", "staticfiles", "venv")


def run(code: str, *, project: Path = settings.BASE_DIR, **environment: str) -> Any:
    """Run Python code after `django.setup()`, and return what it printed in its last line, as JSON."""
    process = python("-c", f"import django; django.setup()\n{code}", project=project, **environment)
    if process.returncode:
        raise AssertionError(process.stderr)
    return json.loads(process.stdout.splitlines()[-1])


def own_settings(**environment: str) -> dict[str, Any]:
    """Return what the project's own settings are in such an environment, where an empty variable is one left out."""
    wanted = {name: value for name, value in {**ENVIRONMENT, **environment}.items() if value}
    spec = find_spec("config.settings")
    module = module_from_spec(spec)
    with mock.patch.dict(os.environ, wanted, clear=True):
        spec.loader.exec_module(module)
    return vars(module)


def command(*words: str, project: Path = settings.BASE_DIR, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` with these words, in the folder of a project."""
    return python("manage.py", *words, project=project, **environment)


def python(*words: str, project: Path = settings.BASE_DIR, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, in the folder of a project."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(changed: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, **ENVIRONMENT, **changed}


class Commands:
    """A process that runs one command after the other, because its start takes longer than most of them.

    It knows the sources as they were at its start. Arguments: the folder of the project, and the environment.
    """

    def __init__(self, *, project: Path = settings.BASE_DIR, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup()\n{LOOP}"],
            cwd=project,
            env=_environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **changed: Any) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` with these words, under the settings of the environment with changes."""
        print(json.dumps([words, changed]), file=self._process.stdin, flush=True)
        return subprocess.CompletedProcess(words, *json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def copy_of_project(folder: str) -> Path:
    """Copy this project's sources into a folder, so that a test may change them, and return where they are."""
    ignored = shutil.ignore_patterns(*NOT_SOURCES)
    return Path(shutil.copytree(settings.BASE_DIR, Path(folder, "project"), ignore=ignored))


def url_of(alias: str, folder: str) -> str:
    """Return a URL for the test database of an alias. One in memory is copied into a file in the folder."""
    config = connections[alias].settings_dict
    if connections[alias].vendor == "sqlite":
        path = Path(folder, f"{alias}.sqlite3")
        connections[alias].ensure_connection()
        with sqlite3.connect(path) as file:
            connections[alias].connection.backup(file)
        file.close()
        return f"sqlite:///{quote(str(path))}"
    scheme = next(scheme for scheme, engine in ENGINES.items() if engine == config["ENGINE"])
    login = ":".join(quote(str(config[part]), safe="") for part in ("USER", "PASSWORD"))
    server = f"{config['HOST']}:{config['PORT']}" if config["PORT"] else config["HOST"]
    return f"{scheme}://{login}@{server}/{quote(config['NAME'])}?{urlencode(config['OPTIONS'])}"
