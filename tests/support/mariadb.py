"""A real MariaDB server for the run: the operating system's, Debian's `mariadb-server`."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pymysql

from tests.support.databases import ROWS, DatabaseServer, programs
from tests.support.locks import locked
from tests.support.servers import free_port

ADMINISTRATOR = "administrator"
TESTER = "tester"
#: With characters that a URL must encode, so that code that forgets to fails.
PASSWORD = "of: MariaDB/100%"
HOST = "127.0.0.1"
# Several suites run at a time, and their data need not survive a crash. The character set is Debian's default.
SETTINGS = """\
[server]
user = {user}
datadir = {folder}/data
tmpdir = {folder}/temporary
socket = socket
pid_file = {folder}/pid
init_file = {folder}/accounts.sql
bind_address = {host}
skip_name_resolve
max_connections = 300
character_set_server = utf8mb4
collation_server = utf8mb4_general_ci
debug_no_sync
innodb_flush_log_at_trx_commit = 0
innodb_flush_method = nosync
innodb_doublewrite = off
innodb_log_file_size = 32M
"""
ACCOUNTS = rf"""
CREATE OR REPLACE USER '{ADMINISTRATOR}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO '{ADMINISTRATOR}'@'%' WITH GRANT OPTION;
CREATE OR REPLACE USER '{TESTER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL PRIVILEGES ON `test\_%`.* TO '{TESTER}'@'%';
"""


class Mariadb(DatabaseServer):
    """The server from Debian's packages, on a port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        # Debian keeps servers in a folder that an ordinary user's PATH lacks.
        self._install, self._serve = programs("mariadb-server", Path("/usr/sbin"), "mariadb-install-db", "mariadbd")
        self._folder = folder

    def start(self) -> None:
        """Start the server unless it runs."""
        with locked(self._folder.with_name(f"{self._folder.name}.lock")):
            if not self._folder.exists():
                self._initialise()
            if not self._is_running():
                self._launch()

    def stop(self) -> None:
        """Stop the server if it runs."""
        # A server that has crashed failed its tests already. The others must be stopped all the same.
        with contextlib.suppress(pymysql.OperationalError):
            if self._is_running():
                self.execute("SHUTDOWN")
                while self._is_running():
                    time.sleep(0.02)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block, keep all connections open, accept new ones, and say nothing."""
        process = int((self._folder / "pid").read_text())
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def url(self, database: str) -> str:
        """Return the URL of a database, which need not exist, for the administrator."""
        return self._url(database, ADMINISTRATOR)

    def url_for_tests(self, database: str) -> str:
        """Return the URL for a user that may create, use and drop the databases whose names start with `test_`."""
        return self._url(database, TESTER)

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(f"CREATE DATABASE `{database.replace('`', '``')}`")
        return self.url(database)

    def tables(self, database: str) -> list[str]:
        """Return the names of all tables of a database, sorted."""
        return sorted(str(row[0]) for row in self.execute("SHOW TABLES", database))

    def execute(self, statement: str, database: str = "") -> ROWS:
        """Run one statement as the administrator, in no transaction, and return its rows."""
        login = pymysql.connect(
            host=HOST,
            port=self._port,
            user=ADMINISTRATOR,
            password=PASSWORD,
            database=database or None,
            autocommit=True,
        )
        with login as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _url(self, database: str, user: str) -> str:
        return f"mysql://{user}:{quote(PASSWORD, safe='')}@{HOST}:{self._port}/{quote(database, safe='')}"

    @property
    def _port(self) -> int:
        return int((self._folder / "port").read_text())

    def _is_running(self) -> bool:
        # The server creates this file when it starts, and removes it when it ends.
        return (self._folder / "pid").exists()

    def _initialise(self) -> None:
        # Not a shared folder for temporary tables: a server that starts removes everything there, which would crash
        # another server.
        (self._folder / "temporary").mkdir(parents=True)
        settings = SETTINGS.format(user=os.geteuid(), folder=self._folder, host=HOST)
        (self._folder / "settings.cnf").write_text(settings)
        (self._folder / "accounts.sql").write_text(ACCOUNTS)
        # Without anonymous accounts, which MariaDB prefers to accounts for any host.
        install = self._run(self._install, "--skip-test-db")
        assert install.wait() == 0, self._log()

    def _launch(self) -> None:
        """Start the server and wait until it answers. Raises AssertionError with its log where it ends instead."""
        (self._folder / "port").write_text(str(free_port()))
        # Kept, because Python warns about a running process that is garbage-collected.
        self._server = self._run(self._serve, f"--port={self._port}")
        while True:
            assert self._server.poll() is None, self._log()
            try:
                self.execute("SELECT 1")
            except pymysql.OperationalError:
                time.sleep(0.02)
            else:
                return

    def _run(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [program, f"--defaults-file={self._folder / 'settings.cnf'}", *words],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C must reach the tests only. They then stop the server.
                start_new_session=True,
            )

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")
