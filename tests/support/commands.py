"""Running commands as a user would: without what this test run left in the environment."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")

# make and pytest hand these down, and a project reads the last lot.
FOREIGN = (
    *("MAKE", "MFLAGS", "PYTEST", "VIRTUAL_ENV", "PYTHON", "UV_PROJECT"),
    *("DJANGO_", "TEST_", "DATABASE_", "MIRROR_", "REPLICA_", "TENANT_", "SECRET_KEY", "DEBUG", "ALLOWED_", "SITE_"),
)


#: Where the pytest of projects has its folders. It shuts the one that they are in for all users but its own, and
#: servers that run as another user are in ours.
FOLDER_OF_PYTEST = tempfile.TemporaryDirectory()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what belongs to the test run or would configure a project."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {**kept, "PYTEST_DEBUG_TEMPROOT": FOLDER_OF_PYTEST.name}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    typed: str | None = None,
    code: int | None = 0,
    timeout: float = 900,
) -> str:
    """Run a command in a clean environment and return what it printed, errors included.

    Arguments: `env` adds variables, `typed` is its input, `code` is the exit code it must end with (None: anything).
    Raises AssertionError with the output for another exit code.
    """
    process = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean_environment(), **(env or {})},
        input=typed,
        stdin=subprocess.DEVNULL if typed is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
    words = " ".join(map(str, command))
    assert code in (None, process.returncode), f"`{words}` ended with {process.returncode}:\n{process.stdout}"
    return process.stdout
