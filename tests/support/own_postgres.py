"""A PostgreSQL server that belongs to one test, which may treat it badly."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.postgres import SETTINGS, Postgres


class OwnPostgres:
    """A server in a folder of its own, and ways to hurt it."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = folder
        self.server = Postgres(folder, settings)

    def start(self) -> None:
        """Start the server."""
        self.server.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that takes connections."""
        os.kill(int((self.folder / "postmaster.pid").read_text().split()[0]), number)

    def crash(self) -> None:
        """End the server and all its sessions at once; what has been written so far is kept."""
        # The servers of tests do not write through.
        self.server.execute("CHECKPOINT")
        self.signal(signal.SIGQUIT)
        wait_until(lambda: not (self.folder / "postmaster.pid").exists())

    def waits_for(self, event: str) -> bool:
        """Return whether somebody's statement waits for an event, such as `PgSleep`."""
        return (event,) in self.server.execute("SELECT wait_event FROM pg_stat_activity")

    def end(self) -> None:
        """End the server, whatever state it is in."""
        with contextlib.suppress(FileNotFoundError):
            self.signal(signal.SIGCONT)
            self.crash()


@contextlib.contextmanager
def running(folder: Path, settings: str = SETTINGS) -> Iterator[OwnPostgres]:
    """Start a server in a folder, and end it afterwards, whatever state it is in."""
    made = OwnPostgres(folder, settings)
    made.start()
    try:
        yield made
    finally:
        made.end()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true; fails after a minute."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("It did not come true.")
