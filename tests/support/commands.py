"""Running commands as a user would: without what this test run left in the environment."""

import contextlib
import os
import pty
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")

# make and pytest set the first row, and a project reads the second.
FOREIGN = (
    *("MAKE", "MFLAGS", "PYTEST", "VIRTUAL_ENV", "PYTHON", "UV_PROJECT"),
    *("DJANGO_", "TEST_", "DATABASE_", "MIRROR_", "REPLICA_", "TENANT_", "SECRET_KEY", "DEBUG", "ALLOWED_", "SITE_"),
)


#: Where the pytest of projects has its folders. It closes the folder above them to other users, and the servers of
#: these tests, which run as another user, have theirs in the usual place.
FOLDER_OF_PYTEST = tempfile.TemporaryDirectory()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without variables that configure a project or come from the test run."""
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

    Arguments: `env` adds variables, `typed` is its input, `code` is the exit code it must end with (None: any).
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


def at_terminal(
    command: Sequence[str | Path], lines: Sequence[str], *, cwd: Path, echo: bool = True
) -> tuple[int, str]:
    """Run a command at a terminal where these lines are typed; return its exit code and what the terminal shows.

    Argument: whether the terminal shows what is typed.
    """
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb+", buffering=0) as terminal, os.fdopen(its, "rb") as end:
        if not echo:
            attributes = termios.tcgetattr(end)
            attributes[3] &= ~termios.ECHO
            termios.tcsetattr(end, termios.TCSANOW, attributes)
        # The terminal keeps the lines until the command reads them.
        terminal.write("".join(f"{line}\n" for line in lines).encode())
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**clean_environment(), "TERM": "dumb", "COLUMNS": "200"},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        end.close()
        shown = b""
        # Linux answers with an error when the command has closed its end.
        with contextlib.suppress(OSError):
            while read := terminal.read(4096):
                shown += read
        return process.wait(timeout=60), shown.decode().replace("\r\n", "\n")
