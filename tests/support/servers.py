"""`make run` of a project: started as a user starts it, and ended as Ctrl-C ends it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake


class Server:
    """A development server, its port, and the file that holds what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def page(self, host: str, path: str) -> str:
        """Return a page as soon as the server answers. Raises AssertionError with the log where it ends or hangs."""
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, headers={"Host": f"{host}:{self.port}"})
        for _ in range(3000):
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{path} on {host}: {error}\n{self.log.read_text()}") from error
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@contextlib.contextmanager
def running(project: Bake, env: Mapping[str, str]) -> Iterator[Server]:
    """Run `make run` in a new process group."""
    port = free_port()
    log = project.path.parent / "make.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", f"HOST=127.0.0.1:{port}"],
            cwd=project.path,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Server(process, port, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
