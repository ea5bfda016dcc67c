"""Sessions on tenants' databases, counted by the server, which also refuses those that exceed a bound."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import psycopg

from tests.support.postgres import ADMINISTRATOR, AnyPostgres

SESSIONS = "SELECT pid, backend_start, application_name FROM pg_stat_activity WHERE usename = '{user}'"
#: The name under which the most sessions of all processes together are counted.
TOGETHER = "all processes together"


class Bounded:
    """A user of a server who reads and writes in databases `<prefix>_<number>` and has a limit of sessions."""

    def __init__(self, server: AnyPostgres, prefix: str) -> None:
        self.server = server
        self.prefix = prefix
        self.user = f"user_of_{prefix}"
        server.execute(f"CREATE ROLE {self.user} LOGIN IN ROLE pg_read_all_data, pg_write_all_data")

    @property
    def url_of_administrator(self) -> str:
        """The URL of tenants' databases, with `{name}`, for the user who makes them."""
        return self.server.url("{name}").replace("%7Bname%7D", "{name}")

    @property
    def url(self) -> str:
        """The URL of tenants' databases, with `{name}`, for the user with the limit."""
        return self.url_of_administrator.replace(f"//{ADMINISTRATOR}:", f"//{self.user}:", 1)

    def limit(self, sessions: int) -> None:
        """Have the server refuse more sessions than this. A session counts until the server has ended it."""
        self.server.execute(f"ALTER ROLE {self.user} CONNECTION LIMIT {sessions}")

    @contextlib.contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Within the block, count the sessions as often as possible. The result is by the name of the application.

        The server looks at one session after the other, so one answer may hold a session and the one that took its
        place. Only those in two answers in a row were there at the same time: at the end of the first.
        """
        ended = threading.Event()
        most: Counter[str] = Counter()

        def count() -> None:
            with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
                before: set[tuple[int, object]] = set()
                while not ended.is_set():
                    rows = connection.execute(SESSIONS.format(user=self.user).encode()).fetchall()
                    names = {(pid, start): name for pid, start, name in rows}
                    both = before & {*names}
                    # A session has no name while it begins.
                    found = Counter(names[each] for each in both if names[each])
                    for name, number in [(TOGETHER, len(both)), *found.items()]:
                        most[name] = max(most[name], number)
                    before = {*names}

        thread = threading.Thread(target=count)
        thread.start()
        try:
            yield most
        finally:
            ended.set()
            thread.join()
