"""PgBouncer in transaction mode between a project and a server: Debian's `pgbouncer`."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.support.databases import programs
from tests.support.own_postgres import wait_until
from tests.support.postgres import Postgres

#: The port only names the socket. Each database has so many sessions on the server.
CONFIG = """[databases]
* = host={host} user={user}
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
"""


@contextlib.contextmanager
def running(server: Postgres, database: str, sessions: int) -> Iterator[str]:
    """Within the block, it runs. Yields the URL that leads through it to a database of the server.

    Raises NotInstalledError where it is not installed.
    """
    (program,) = programs("pgbouncer", Path("/usr/sbin"), "pgbouncer")
    # It refuses to run as root, and only the server's user may enter the folder of the server's socket.
    where, user = conninfo_to_dict(server.url_for_tests(database)), server.programs[1]
    # Not in pytest's folder: every start of pytest makes that one unreadable for other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user, user)
        config, log = folder / "pgbouncer.ini", folder / "pgbouncer.log"
        config.write_text(CONFIG.format(**where, folder=folder, sessions=sessions))
        url = f"postgresql://{where['user']}:@/{quote(database, safe='')}?host={quote(name, safe='')}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "--quiet", config],
                user=user,
                group=user,
                extra_groups=user and [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: process.poll() is not None or _answers(url))
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url):
            return True
    except psycopg.OperationalError:
        return False
