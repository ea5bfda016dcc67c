"""Django's `runserver`, which takes the next free port if one is in use, and prints what to open in a browser."""

import socket
from typing import Any

from django.contrib.staticfiles.management.commands.runserver import Command as RunServer
from django.db import connection

from notes.demo import parts

#: How many ports it tries.
PORTS = 20


class Command(RunServer):
    addr: str
    port: str
    use_ipv6: bool

    def run(self, **options: Any) -> None:
        self.wanted = self.port
        self.port = str(free_port(self.addr, int(self.port), socket.AF_INET6 if self.use_ipv6 else socket.AF_INET))
        super().run(**options)

    def on_bind(self, server_port: int) -> None:
        """Print what to open, instead of the address alone. Django calls this at the start, and after each change."""
        self.stdout.write()
        if str(server_port) != self.wanted:
            self.stdout.write(f"Port {self.wanted} is in use, so this is port {server_port}.")
        self.stdout.write(f"{links(server_port)}\nCtrl-C stops the server. `make demo` adds what the demo lacks.")
        # Also to a file or a pipe.
        self.stdout.flush()
        connection.close()


def free_port(host: str, first: int, family: socket.AddressFamily) -> int:
    """Return the first port from this one on that no other server has, or this one if all are in use."""
    for port in range(first, first + PORTS):
        try:
            socket.create_server((host, port), family=family).close()
        except OSError:
            continue
        return port
    return first


def links(port: int) -> str:
    """Return a line for each address to open."""
    found = {at: text for part in parts() if hasattr(part, "links") for at, text in part.links(port).items()}
    width = max(map(len, found))
    return "\n".join(f"  http://{address:{width}}  {text}" for address, text in found.items())
