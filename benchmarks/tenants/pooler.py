"""PgBouncer between a project and the database server, if it is installed: Debian's `pgbouncer`."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

from benchmarks.tenants import clients
from benchmarks.tenants.arena import Arena
from tests.support.servers import free_port

#: Settings of a site that keeps few sessions open.
CONFIG = """[databases]
* = host={socket} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 2000
log_connections = 0
log_disconnections = 0
"""


def is_there() -> bool:
    """Return whether it is installed."""
    return shutil.which("pgbouncer") is not None


@contextlib.contextmanager
def running(arena: Arena) -> Iterator[dict[str, str]]:
    """Within the block, it runs. Yields the environment variables that lead our project's tenants through it."""
    port = free_port()
    config = arena.folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(socket=arena.socket, port=port))
    # It refuses to run as root, and must be able to open the server's socket.
    user = (arena.folder / "postgres").owner() if os.geteuid() == 0 else None
    with (arena.folder / "pgbouncer.log").open("ab") as log:
        process = subprocess.Popen(
            ["pgbouncer", "--quiet", config], user=user, group=user, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            clients.wait(port)
            yield {"TENANT_DATABASE_URL": f"postgresql://postgres:@127.0.0.1:{port}/{{name}}"}
        finally:
            process.terminate()
            process.wait(timeout=30)
