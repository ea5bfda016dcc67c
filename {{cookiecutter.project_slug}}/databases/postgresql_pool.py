"""Options of psycopg's connection pool, and its connections, which wait for the server for a limited time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any

from django.conf import settings
from psycopg import Connection, Error, OperationalError
from psycopg_pool import ConnectionPool

#: Seconds for which a request waits for a free connection, or for a new one.
WAIT_SECONDS = 5
#: Seconds in which a connection from the pool must answer before a request gets it.
CHECK_SECONDS = 3
#: Seconds for which the client waits longer than the server's limit, so that the server ends a slow statement.
CLIENT_WAITS_LONGER = 2


def pool_options(wait_seconds: float = WAIT_SECONDS) -> dict[str, Any]:
    """Return `OPTIONS["pool"]` of a database. Argument: how long a request waits for a connection."""
    return {
        "min_size": 0,
        "max_size": settings.DATABASE_POOL_SIZE,
        "timeout": wait_seconds,
        # psycopg doubles its pause after each failed attempt. Without this, a server that is back would be found late.
        "reconnect_timeout": 0,
        "reconnect_failed": refuse_waiting,
        "connection_class": LimitedConnection,
        "reset": LimitedConnection.reset,
    }


class LimitedConnection(Connection[Any]):
    """A connection that closes itself and raises `OperationalError` if the server sends nothing for too long.

    A server's own limit ends no wait for a server that hangs, and neither does TCP while its machine still answers.
    """

    #: How long the client waits. Until `connect` knows the limit of statements, this one.
    answer_seconds: float = CHECK_SECONDS
    #: Waits that began before this time end with an error, because it is known that the server hangs.
    given_up_at = -inf
    #: The server's limit for statements. Milliseconds; 0 is no limit.
    statement_timeout = 0

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Any:
        """Connect, and limit the time of statements, which includes the time that they wait for locks.

        A limit in the URL wins: `?options=-c%20statement_timeout=60000`.
        """
        connection = super().connect(*args, **kwargs)
        if "statement_timeout" not in str(kwargs.get("options")):
            # Not sent with the connection request, because connection poolers refuse startup options.
            connection.execute(f"SET statement_timeout = '{settings.DATABASE_STATEMENT_SECONDS}s'")
        limit = connection.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'").fetchone()
        connection.statement_timeout = limit[0]
        connection.answer_seconds = limit[0] / 1000 + CLIENT_WAITS_LONGER if limit[0] else inf
        return connection

    def reset(self) -> None:
        """Undo what a request has changed in its session: settings, locks, temporary tables.

        A thread of the pool calls this after each request. If it raises an error, the pool replaces the connection.
        """
        # PostgreSQL refuses DISCARD ALL in a transaction, which psycopg begins without autocommit.
        self.autocommit, self.isolation_level, self.read_only, self.deferrable = True, None, None, None
        with self.limited_to(CHECK_SECONDS):
            self.execute("DISCARD ALL")
            # Otherwise psycopg would execute statements that are no longer prepared.
            self._prepared.clear()
            # DISCARD ALL has also undone our limit, and the time zone that Django sets.
            self.execute(f"SET statement_timeout = {self.statement_timeout}")
            self._pool._configure(self)  # type: ignore[union-attr]

    @contextmanager
    def limited_to(self, seconds: float) -> Iterator[None]:
        """Within the block, wait for each answer for at most this time."""
        usual, self.answer_seconds = self.answer_seconds, seconds
        try:
            yield
        finally:
            self.answer_seconds = usual

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a statement.

        The pool checks a connection by an empty statement before a request gets it. Django 5.2 takes no other check.
        """
        if query:
            return super().execute(query, *args, **kwargs)
        pool: Any = self._pool
        try:
            with self.limited_to(min(CHECK_SECONDS, pool.timeout)):
                return super().execute(query)
        except Error:
            # The server has perhaps restarted. psycopg would pause after each connection that it finds closed.
            pool.drain()
            raise

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for an answer. psycopg calls this for every answer after connecting."""
        return super().wait(self._limited(gen), *args, **kwargs)

    def _limited(self, gen: Any) -> Generator[Any, Any, Any]:
        """Pass everything on to and from a generator of psycopg, which it resumes at least every 0.1 seconds."""
        seconds, since, ready = self.answer_seconds, monotonic(), None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as stop:
                return stop.value
            ready = yield wanted
            if ready:
                since = monotonic()
            elif monotonic() > since + seconds or since < self.given_up_at:
                self.close()
                raise OperationalError(f"the server sent nothing for {monotonic() - since:.1f} seconds")


def refuse_waiting(pool: ConnectionPool[Any]) -> None:
    """Give waiting requests an error at once if the server cannot be reached and the pool has no connection.

    Otherwise a server that refuses connections would hold each request for `WAIT_SECONDS`.
    """
    if not pool.get_stats()["pool_size"]:
        # psycopg has no public name for them. It skips a request that got an error.
        for request in [*pool._waiting]:
            request.fail(OperationalError("cannot connect to the database; the logger psycopg.pool says why"))
