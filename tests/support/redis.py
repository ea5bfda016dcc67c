"""A real Redis server: the operating system's, Debian's `redis-server`. It keeps nothing on disk."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.databases import programs
from tests.support.servers import free_port


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server and yield its URL. Raises NotInstalledError where it is not installed."""
    (program,) = programs("redis-server", Path("/usr/bin"), "redis-server")
    port = free_port()
    log = folder / "redis.log"
    with log.open("wb") as output:
        words = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not _answers(port):
            assert server.poll() is None, log.read_text()
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False
