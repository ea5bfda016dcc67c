"""Python that `zygotes` starts runs like a new process."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import zygotes
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

#: Prints what a program can see of how it was started, and ends with an exit code.
SEEN = """
import json, os, signal, sys, threading, time
files = [file for file in map("/proc/self/fd/{}".format, range(3, 100)) if os.path.exists(file)]
print(json.dumps({
    "arguments": sys.argv, "bytecode": sys.dont_write_bytecode, "environment": dict(os.environ), "files": files,
    "folder": os.getcwd(), "input": sys.stdin.read(), "name": __name__, "path": sys.path,
    "signals": [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "threads": threading.active_count(), "zone": time.tzname,
}), flush=True)
print("an error", file=sys.stderr)
sys.exit(3)
"""
#: Starts a process that outlives it, and waits.
WAITS = """
import subprocess, time
print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def tools(environment: Environments) -> Environment:
    return environment(DJANGO or "5.2")


@pytest.mark.parametrize("words", [("-c", SEEN), ("-m", "seen"), ("seen.py",)], ids=["code", "module", "file"])
@pytest.mark.parametrize("env", [{}, {"DJANGO_SETTINGS_MODULE": "x", "PYTHONDONTWRITEBYTECODE": "1"}])
def test_a_run_sees_what_a_new_process_sees(
    tools: Environment, tmp_path: Path, words: tuple[str, ...], env: dict[str, str]
) -> None:
    project = Bake(tmp_path, {})
    project.write("seen.py", SEEN)
    words = (*words, "an argument")
    printed, errors = project.run(tools, "python", *words, env=env, code=3).splitlines()
    for _ in range(2):
        again, same_errors = zygotes.python(project, tools, *words, env=env, code=3).splitlines()
        assert json.loads(again) == json.loads(printed)
        assert same_errors == errors


def test_another_exit_code_is_an_error(tools: Environment, tmp_path: Path) -> None:
    code = "import os; print('to be shown', flush=True); os.kill(os.getpid(), 9)"
    with pytest.raises(AssertionError, match=r"ended with -9:\nto be shown"):
        zygotes.python(Bake(tmp_path, {}), tools, "-c", code)


def test_a_run_ends_with_its_processes_after_its_time(tools: Environment, tmp_path: Path) -> None:
    project = Bake(tmp_path, {})
    with pytest.raises(TimeoutError, match=r"took more than 2 seconds:\n\d+") as raised:
        zygotes.python(project, tools, "-c", WAITS, timeout=2)
    process = int(str(raised.value).split()[-1])
    for _ in range(600):
        if not is_running(process):
            break
        time.sleep(0.05)
    assert not is_running(process)
    # The next run has another process to start from.
    assert zygotes.python(project, tools, "-c", "print(1)") == "1\n"


def is_running(process: int) -> bool:
    """Return whether a process runs. One that has ended may wait for its parent to notice."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
