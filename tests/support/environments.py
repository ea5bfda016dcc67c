"""One virtual environment per Django version, shared by all bakes, with the packages that bakes themselves ask for."""

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import commands
from tests.support.locks import locked
from tests.support.template import ROOT

# Versions of Django that need a newer Python than these tests do.
NEEDS_PYTHON = {"6.1": (3, 12)}
SPECIAL = "mysqlclient"
#: What the files in `extras/` import. Projects that copy them require these packages themselves.
EXTRAS = ["opentelemetry-sdk>=1.30", "prometheus-client>=0.22"]
NO_MYSQLCLIENT = "mysqlclient could not be built: it needs a C compiler, pkg-config and libmariadb-dev"


class NoPythonError(Exception):
    """No interpreter on this machine can run that Django version."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment with Django, drivers and tools."""

    folder: Path

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"

    @property
    def has_mysqlclient(self) -> bool:
        """Whether the MySQL driver could be built: that needs a compiler and the headers of MariaDB."""
        return not (self.folder / "without-mysqlclient").exists()


def requirements(pyprojects: Iterable[str]) -> list[str]:
    """Return what emitted `pyproject.toml` texts require, for running and for development, sorted."""
    found: set[str] = set()
    for text in pyprojects:
        pyproject = tomllib.loads(text)
        found.update(pyproject["project"]["dependencies"], pyproject["dependency-groups"]["dev"])
    return sorted(found)


def build(django: str, wanted: list[str]) -> Environment:
    """Return the environment for a Django version, rebuilt when its requirements have changed.

    Raises NoPythonError where no interpreter is new enough.
    """
    return make(f"django-{django}", python_for(django), wanted)


def make(name: str, interpreter: str, wanted: list[str]) -> Environment:
    """Return the environment of this name with these packages, rebuilt when they or the interpreter have changed."""
    environment = Environment(ROOT / ".envs" / name)
    stamp = environment.folder / "requirements.txt"
    content = "\n".join([f"# {interpreter}", *wanted, ""])
    with locked(environment.folder.with_suffix(f"{environment.folder.suffix}.lock")):
        if not stamp.exists() or stamp.read_text() != content:
            shutil.rmtree(environment.folder, ignore_errors=True)
            commands.run([interpreter, "-m", "venv", environment.folder], cwd=ROOT)
            install(environment, [line for line in wanted if not line.startswith(SPECIAL)])
            try:
                install(environment, [line for line in wanted if line.startswith(SPECIAL)])
            except AssertionError as error:
                (environment.folder / "without-mysqlclient").write_text(str(error))
            stamp.write_text(content)
    return environment


def packages(name: str, environment: Environment, wanted: list[str]) -> Path:
    """Return a folder with these packages, without those that they need: for the PYTHONPATH of that environment."""
    folder = environment.folder.with_name(f"{environment.folder.name}-{name}")
    with locked(folder.with_suffix(f"{folder.suffix}.lock")):
        if not (folder / "requirements.txt").exists() or (folder / "requirements.txt").read_text().split() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            pip = (environment.python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder)
            commands.run([*pip, *wanted], cwd=ROOT)
            (folder / "requirements.txt").write_text("\n".join(wanted))
    return folder


def install(environment: Environment, wanted: list[str]) -> None:
    """Install requirements. Raises AssertionError with pip's output where that fails."""
    if wanted:
        commands.run([environment.python, "-m", "pip", "install", "--quiet", *wanted], cwd=ROOT)


def python_for(django: str) -> str:
    """Return an interpreter that runs this Django version. Raises NoPythonError where none does."""
    oldest = NEEDS_PYTHON.get(django, (3, 11))
    for candidate in interpreters():
        if version(candidate) >= oldest:
            return candidate
    raise NoPythonError(f"Django {django} needs Python {'.'.join(map(str, oldest))} or newer, and none was found")


def interpreters() -> Iterator[str]:
    """Yield interpreters, which may not run; first the one that runs this."""
    # Not the link in an environment: another checkout would build its own again.
    yield str(Path(sys.executable).resolve())
    for minor in range(12, 16):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path("/usr/local"), Path("/opt")]
    roots.append(Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python")))
    for root in roots:
        yield from sorted(str(path) for path in root.glob("*/bin/python3"))


@functools.cache
def version(interpreter: str) -> tuple[int, ...]:
    """Return an interpreter's version, or () if it does not run (as a shim may) or cannot make environments."""
    code = "import ensurepip, venv, sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([interpreter, "-c", code], check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(part) for part in answer.stdout.split())
