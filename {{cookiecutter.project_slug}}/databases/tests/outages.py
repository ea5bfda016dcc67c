"""A gate in front of a real database, which a test can close and open again."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.wsgi import get_wsgi_application
from django.db import connections

from databases.tests import production

#: How a server may be down. A file exists or does not.
WAYS = ("refusing", "closing", "silent")
PORTS = {"postgresql": 5432, "mysql": 3306}


class ServerGate:
    """A port in front of a database server: "open", or down in one of the `WAYS`."""

    def __init__(self, alias: str) -> None:
        """Send the connections of an alias through the gate from now on, in this process."""
        config = connections.settings[alias]
        host = config["HOST"] or config["OPTIONS"].get("host") or "127.0.0.1"
        port = config["PORT"] or PORTS[connections[alias].vendor]
        unix = f"{host}/.s.PGSQL.{port}" if connections[alias].vendor == "postgresql" else host
        self.address: Any = unix if host.startswith("/") else (host, port)
        self.sockets: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config.update(HOST="127.0.0.1", PORT=self.port)

    def turn(self, state: str) -> None:
        """Cut all connections, and be in this state from now on."""
        while self.sockets:
            with contextlib.suppress(OSError), self.sockets.pop() as cut:
                cut.shutdown(socket.SHUT_RDWR)
        if state != "refusing":
            listener = socket.create_server(("127.0.0.1", self.port))
            self.sockets.append(listener)
            threading.Thread(target=self._serve, args=(listener, state), daemon=True).start()

    def _serve(self, listener: socket.socket, state: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                if state == "closing":
                    client.close()
                    continue
                self.sockets.append(client)
                if state == "open":
                    server = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
                    server.connect(self.address)
                    self.sockets.append(server)
                    for ends in ((client, server), (server, client)):
                        threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sent := source.recv(65536):
            target.sendall(sent)
        target.shutdown(socket.SHUT_WR)


class FileGate:
    """The same for a SQLite file."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.file = Path(connections.settings[alias]["NAME"].removeprefix("file:").partition("?")[0])
        self.away = self.file.with_suffix(".away")

    def turn(self, state: str) -> None:
        """Move the file to its place ("open") or away from it, and put a folder there: SQLite would make a new file."""
        # An open file stays readable after a move.
        connections[self.alias].close()
        if state == "open" and self.away.exists():
            self.file.rmdir()
            self.away.rename(self.file)
        elif state != "open" and not self.away.exists():
            self.file.rename(self.away)
            self.file.mkdir()


def gate_of(alias: str) -> ServerGate | FileGate:
    """Return a gate in front of a database, in this process."""
    return FileGate(alias) if connections[alias].vendor == "sqlite" else ServerGate(alias)


def ask(view: Any) -> list[Any]:
    """Return status and Retry-After, as a WSGI server gets them: connections are kept and checked as in production."""
    environ: dict[str, Any] = {"HTTP_HOST": "example.com", "PATH_INFO": f"/{view.__name__}/"}
    setup_testing_defaults(environ)
    response = get_wsgi_application()(environ, lambda *_: None)
    response.close()
    return [response.status_code, response.headers.get("Retry-After")]


def run_report(alias: str, module: str, folder: str) -> Any:
    """Run `report()` of a module in production, with the test database of an alias, and return what it prints."""
    url = production.url_of(alias, folder)
    if connections[alias].vendor != "sqlite":
        url += "&connect_timeout=1"
    urls = {"DATABASE_URL": f"sqlite:///{folder}/primary.sqlite3", f"{alias.upper()}_DATABASE_URL": url}
    return production.run(f"from {module} import report; report()", **urls)
