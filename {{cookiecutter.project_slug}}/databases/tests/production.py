"""Child processes with the project's own settings, in an environment like production's.

They know nothing of the test run. So nothing that a test run switches on can be what protects production.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connections

from databases.environment import ENGINES
from databases.testing.settings import parts
from databases.tests import zygote

#: The module with the project's own settings, and the package that holds it, `wsgi` and `asgi`.
OWN_SETTINGS = settings.SETTINGS_MODULE.removesuffix("_test")
PACKAGE = OWN_SETTINGS.partition(".")[0]
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "databases.tests.production_settings",
    "OWN_SETTINGS": OWN_SETTINGS,
    "SECRET_KEY": "a key of production",
    "DEBUG": "off",
    "ALLOWED_HOSTS": "example.com,.example.com",
    "SECURE_SSL_REDIRECT": "off",
    # No database is at this address. A test passes the addresses of the databases that its process may reach.
    "DATABASE_URL": "sqlite:////nowhere/primary.sqlite3",
}
ENVIRONMENT |= {
    f"{alias.upper()}_DATABASE_URL": f"sqlite:////nowhere/{alias}.sqlite3" for alias in settings.OWN_DATABASES[1:]
}
for part in reversed(parts({"DATABASE_APPS": settings.DATABASE_APPS})):
    ENVIRONMENT |= part.ENVIRONMENT
#: Runs one command after another: reads the words and settings of each as a line of JSON, and answers in JSON.
LOOP = """
import contextlib, io, json, sys
from django.core.management import execute_from_command_line
from django.test import override_settings
answers = sys.stdout
print(file=answers, flush=True)
for line in sys.stdin:
    words, changed = json.loads(line)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), override_settings(**changed):
        try:
            execute_from_command_line(["manage.py", *words])
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""
#: Variables that a process needs in order to start.
KEPT = ("PATH", "HOME", "PYTHONPATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
#: Copies include byte code: copytree() keeps the times of files, so Python accepts it and need not compile.
NOT_SOURCES = (".*", "*.sqlite3", "media", "node_modules", "staticfiles", "venv")


def run(code: str, *, project: Path = settings.BASE_DIR, **environment: str) -> Any:
    """Run Python code after `django.setup()`. Returns the last line that it prints, read as JSON."""
    process = python("-c", f"import django; django.setup()\n{code}", project=project, **environment)
    if process.returncode:
        raise AssertionError(process.stderr)
    return json.loads(process.stdout.splitlines()[-1])


def own_settings(**environment: str) -> dict[str, Any]:
    """Return the project's own settings in an environment, without `.env`. An empty string leaves a variable out."""
    wanted = {name: value for name, value in {**ENVIRONMENT, **environment}.items() if value}
    no_file = mock.patch("environ.Env.read_env")
    with mock.patch.dict(os.environ, wanted, clear=True), mock.patch.dict(sys.modules), no_file:
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        return vars(import_module(OWN_SETTINGS))


def command(*words: str, project: Path = settings.BASE_DIR, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` with these words, in the folder of a project."""
    if words[0] == "test":
        # Its settings are beside the project's own.
        environment.setdefault("DJANGO_SETTINGS_MODULE", OWN_SETTINGS)
    return python("manage.py", *words, project=project, **environment)


def python(*words: str, project: Path = settings.BASE_DIR, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, in the folder of a project."""
    with Path(os.devnull).open() as stdin, TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        files = [file.fileno() for file in (stdin, stdout, stderr)]
        code = zygote.start(words, project, _environment(environment), *files)()
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(words, code, stdout.read(), stderr.read())


def _environment(changed: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, **ENVIRONMENT, **changed}


class Commands:
    """A process that runs one command after another, because starting it takes longer than most commands.

    It does not see later changes of the sources. Arguments: the folder of the project, and the environment.
    """

    def __init__(self, *, project: Path = settings.BASE_DIR, **environment: str) -> None:
        stdin, requests = os.pipe()
        answers, stdout = os.pipe()
        words = ("-c", f"import django; django.setup()\n{LOOP}")
        self._wait = zygote.start(words, project, _environment(environment), stdin, stdout, 2)
        os.close(stdin)
        os.close(stdout)
        self._requests, self._answers = open(requests, "w"), open(answers)  # noqa: PTH123, SIM115
        # It has read the sources: a test may change them now.
        self._answers.readline()

    def run(self, *words: str, **changed: Any) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` with these words. Keyword arguments override settings."""
        print(json.dumps([words, changed]), file=self._requests, flush=True)
        return subprocess.CompletedProcess(words, *json.loads(self._answers.readline()))

    def close(self) -> None:
        """End the process."""
        self._requests.close()
        self._answers.close()
        self._wait()


def copy_of_project(folder: str) -> Path:
    """Copy this project's sources into a folder, where a test may change them. Returns the folder of the copy."""
    ignored = shutil.ignore_patterns(*NOT_SOURCES)
    return Path(shutil.copytree(settings.BASE_DIR, Path(folder, "project"), ignore=ignored))


def url_of(alias: str, folder: str) -> str:
    """Return a URL for the test database of an alias. Copies a database from memory into a file in the folder."""
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
