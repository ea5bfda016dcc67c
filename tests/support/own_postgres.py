"""A PostgreSQL server of one test, which may stop, crash and freeze it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.postgres import SETTINGS, Postgres


class OwnPostgres:
    """A server with its own folder, and ways to make it fail."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = folder
        self.server = Postgres(folder, settings)

    def start(self) -> None:
        """Start the server."""
        self.server.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that accepts connections."""
        os.kill(int((self.folder / "postmaster.pid").read_text().split()[0]), number)

    def processes(self) -> list[int]:
        """Return the server's process, and then its sessions and other children."""
        parent = (self.folder / "postmaster.pid").read_text().split()[0]
        found = [int(parent)]
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if status.read_text().rpartition(")")[2].split()[1] == parent:
                    found.append(int(status.parent.name))
        return found

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block, keep all connections open, accept new ones, and say nothing."""
        # The parent first, so that no child is born meanwhile.
        self.signal(signal.SIGSTOP)
        stopped = self.processes()
        try:
            for each in stopped[1:]:
                os.kill(each, signal.SIGSTOP)
            yield
        finally:
            for each in reversed(stopped):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    def crash(self) -> None:
        """End the server and all its sessions at once. What was committed is kept."""
        # The servers of tests run with fsync off, so write everything first.
        self.server.execute("CHECKPOINT")
        self.signal(signal.SIGQUIT)
        wait_until(lambda: not (self.folder / "postmaster.pid").exists())

    def waits_for(self, event: str) -> bool:
        """Return whether a statement waits for an event, such as `PgSleep`."""
        return (event,) in self.server.execute("SELECT wait_event FROM pg_stat_activity")

    def end(self) -> None:
        """End the server in whatever state it is."""
        with contextlib.suppress(FileNotFoundError):
            self.signal(signal.SIGCONT)
            self.crash()


@contextlib.contextmanager
def running(folder: Path, settings: str = SETTINGS) -> Iterator[OwnPostgres]:
    """Start a server in a folder, and end it afterwards in whatever state it is."""
    made = OwnPostgres(folder, settings)
    made.start()
    try:
        yield made
    finally:
        made.end()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true. Raises AssertionError after a minute."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("The condition did not become true within a minute.")
