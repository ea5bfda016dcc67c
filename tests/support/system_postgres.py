"""The PostgreSQL server of the operating system, older than the one from PyPI: Debian's `postgresql`."""

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.support.databases import programs
from tests.support.locks import locked
from tests.support.postgres import ADMINISTRATOR, MAKE_TESTER, SETTINGS, AnyPostgres

PACKAGED = Path("/usr/lib/postgresql")
#: The package creates this system user, because PostgreSQL refuses to run as root.
USER = "postgres"


class SystemPostgres(AnyPostgres):
    """The newest server that Debian's packages have installed."""

    def __init__(self, folder: Path) -> None:
        newest = max(PACKAGED.glob("*/bin"), key=lambda path: int(path.parent.name), default=PACKAGED)
        self._initdb, self._pg_ctl = programs("postgresql", newest, "initdb", "pg_ctl")
        self._data = folder

    def start(self) -> None:
        """Start the server unless it runs."""
        with locked(self._data.with_name(f"{self._data.name}.lock")):
            is_new = not self._data.exists()
            if is_new:
                self._initialise()
            if not self._is_running():
                self._run(self._pg_ctl, "start", "--wait", f"--log={self._data / 'log'}")
            if is_new:
                self.execute(MAKE_TESTER)

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self._is_running():
            self._run(self._pg_ctl, "stop", "--wait", "--mode=immediate")

    def url(self, database: str) -> str:
        """Return the URL of a database, which need not exist, for the administrator."""
        return f"postgresql://{ADMINISTRATOR}:@/{quote(database, safe='')}?host={quote(str(self._data), safe='')}"

    def _initialise(self) -> None:
        self._data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self._data, USER, USER)
            # Its user must be able to enter the folders above, which may be open to root only.
            for folder in self._data.parents:
                folder.chmod(folder.stat().st_mode | 0o001)
        self._run(
            self._initdb, "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={ADMINISTRATOR}", "--no-sync"
        )
        with (self._data / "postgresql.conf").open("a") as file:
            # A socket cannot be in use already, as a port can.
            file.write(f"{SETTINGS}listen_addresses = ''\nunix_socket_directories = '{self._data}'\n")
            # The server from PyPI lacks it.
            file.write("shared_preload_libraries = 'pg_stat_statements'\n")

    def _is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def _run(self, *command: str) -> None:
        """Run a program of the server on its data. Raises AssertionError with its output."""
        user = USER if os.geteuid() == 0 else None
        said = self._data.with_name(f"{self._data.name}.said")
        # Into a file: the server inherits it, and a pipe would stay open as long as the server runs.
        with said.open("wb") as output:
            process = subprocess.run(
                [*command, f"--pgdata={self._data}"],
                user=user,
                group=user,
                extra_groups=user and [],
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert process.returncode == 0, f"{command}:\n{said.read_text()}"
