"""`make run`: migrates, serves the project on the first free port, and then prints what to open in a browser."""

import os
import signal
import socket
import sys
import time

# % if cookiecutter.__tenants
from django.conf import settings
# % endif
from django.core.management import execute_from_command_line
from django.db import connections
from django.urls import is_valid_path

#: How many ports it tries.
PORTS = 20


def main(address: str) -> None:
    """Become `manage.py runserver`. Argument: a host and a port, such as `localhost:8000`."""
    host, _, wanted = address.rpartition(":")
    if not wanted.isdecimal():
        sys.exit(f"HOST is {address!r}: it must be a host and a port, such as localhost:8000.")
    host = host or "127.0.0.1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(["manage.py", "migrate_databases"])
    port = free_port(host, int(wanted))
    text = f"\n{links(port)}\nCtrl-C stops the server. `make demo` restores the demo and keeps your rows.\n"
    if str(port) != wanted:
        text = f"\nPort {wanted} is in use, so this is port {port}.{text}"
    connections.close_all()
    sys.stdout.flush()
    server = os.getpid()
    if os.fork():
        os.environ["DJANGO_RUNSERVER_HIDE_WARNING"] = "true"
        os.execv(sys.executable, [sys.executable, "manage.py", "runserver", f"{host}:{port}"])  # noqa: S606
    # Ctrl-C ends this process too, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while os.getppid() == server:
        try:
            socket.create_connection((host.strip("[]"), port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            print(text, flush=True)
            break
    # Without the clean-up at exit, which is the server's.
    os._exit(0)


def free_port(host: str, first: int) -> int:
    """Return the first port from this one on that no other server has, or this one if all are in use."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    for port in range(first, first + PORTS):
        try:
            socket.create_server((host.strip("[]"), port), family=family).close()
        except OSError:
            continue
        return port
    return first


def links(port: int) -> str:
    """Return a line for each address to open."""
    # % if cookiecutter.__tenants
    site = f"{settings.SITE_DOMAIN}:{port}"
    # % else
    site = f"localhost:{port}"
    # % endif
    found = {f"{site}/": "the start page"} if is_valid_path("/") else {}
    found[f"{site}/databases/"] = "the databases, and who reads and writes them"
    found[f"{site}/admin/"] = "the admin: `manage.py createsuperuser` makes a user"
    from notes.demo import login  # example

    found[f"{site}/admin/"] = login()  # example
    # % if cookiecutter.__tenants
    from databases.tenants.models import Tenant

    for tenant in Tenant.objects.filter(status=Tenant.Status.ACTIVE)[:5]:
        found[f"{tenant.host}.{site}{'/' if is_valid_path('/') else '/admin/'}"] = "a tenant"
    # % endif
    width = max(map(len, found))
    return "\n".join(f"  http://{address:{width}}  {text}" for address, text in found.items())


if __name__ == "__main__":
    main(sys.argv[1])
