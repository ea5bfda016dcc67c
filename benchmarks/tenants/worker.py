"""A process of a project that runs functions on request and reports their time.

It stays alive between measurements, so that projects can take turns without a new start.
"""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tests.support import commands

#: Runs in each project, beside a `contestant.py` with the project's functions. Other output goes to a log.
PROGRAM = """
import io, json, os, sys, time
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import django
django.setup()
from django.core.handlers.wsgi import WSGIHandler
import contestant

handler = None
BASE = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}

def request(number):
    status = []
    environ = {**BASE, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, **contestant.headers(number)}
    response = handler(environ, lambda line, headers: status.append(line))
    body = b"".join(response).decode()
    response.close()
    assert status == ["200 OK"] and body.endswith(f" mark-{number}"), (number, status, body)

def requests(numbers):
    # The time of each request.
    global handler
    handler = handler or WSGIHandler()
    taken = []
    for number in numbers:
        began = time.perf_counter()
        request(number)
        taken.append(time.perf_counter() - began)
    return taken

def processor():
    return time.process_time()

def memory():
    text = open("/proc/self/status").read()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024

for line in sys.stdin:
    name, *words = json.loads(line)
    work = globals().get(name) or getattr(contestant, name)
    began = time.perf_counter()
    result = work(*words)
    print(json.dumps([time.perf_counter() - began, result]), file=answers, flush=True)
"""


class Worker:
    """A running process of a project."""

    def __init__(self, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def timed(self, name: str, *words: object) -> float:
        """Call a function in the process, and return its time in seconds, measured there."""
        return self._ask(name, *words)[0]

    def told(self, name: str, *words: object) -> Any:
        """Call a function in the process, and return its result."""
        return self._ask(name, *words)[1]

    def _ask(self, name: str, *words: object) -> tuple[float, Any]:
        print(json.dumps([name, *words]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._log.seek(0)
            raise AssertionError(f"{name}{words[:3]}: {self._log.read().decode(errors='replace')[-4000:]}")
        seconds, result = json.loads(line)
        return seconds, result


@contextlib.contextmanager
def running(python: Path, project: Path, env: Mapping[str, str]) -> Iterator[Worker]:
    """Within the block, a process of the project runs."""
    # Into a file: a pipe that is not read would fill up and block the process.
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [python, "-c", PROGRAM],
            cwd=project,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        # Its input is closed when the block ends, and then it ends.
        yield Worker(process, log)
