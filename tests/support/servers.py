"""`make run` of a project: started as a user starts it, and ended as Ctrl-C ends it."""

import contextlib
import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
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
        # A visitor's browser, which keeps cookies.
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.visitor = urllib.request.build_opener(cookies)

    def told(self) -> str:
        """Return what `make run` tells its user to open, as soon as it does, and use the port that it names."""
        for _ in range(6000):
            found = re.search(r"\n(Port .+\n)?(  http://.+\n)+Ctrl-C .+\n", self.log.read_text())
            if found:
                self.port = int(re.findall(r":(\d+)/", found[0])[0])
                return found[0]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def post(self, host: str, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it, and return the page that follows."""
        token = re.findall('name="csrfmiddlewaretoken" value="(.+?)"', self.page(host, path))[0]
        return self.page(host, path, {**fields, "csrfmiddlewaretoken": token})

    def page(self, host: str, path: str, fields: Mapping[str, str] | None = None) -> str:
        """Return a page as soon as the server answers. Raises AssertionError with the log where it ends or hangs.

        Argument `fields`: what a form sends.
        """
        address = f"http://127.0.0.1:{self.port}{path}"
        data = urllib.parse.urlencode(fields).encode() if fields else None
        request = urllib.request.Request(address, data, headers={"Host": f"{host}:{self.port}"})
        for _ in range(3000):
            assert self.process.poll() is None, self.log.read_text()
            try:
                with self.visitor.open(request, timeout=30) as answer:
                    return str(answer.read().decode())
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{path} on {host}: {error}\n{self.log.read_text()}") from error
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@contextlib.contextmanager
def running(project: Bake, env: Mapping[str, str], port: int = 0) -> Iterator[Server]:
    """Run `make run` in a new process group. Argument: the port to ask for, if not a free one."""
    port = port or free_port()
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
