"""What a server says of itself: its position in the log, its timeline, and its cluster. Only PostgreSQL says it.

Source: PostgreSQL manual, 9.27.12 (control data), 9.28.3 (backup), 9.28.4 (recovery), 27.2 (statistics).
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

#: Whether it follows another server; how far it is: what it shows, or what it can have sent to others; the name of the
#: file that it writes, which begins with the timeline.
STATUS = """
SELECT pg_is_in_recovery(),
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0'),
    CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END"""
#: Its cluster, and the timeline that a standby follows: as of its last checkpoint, or, for members of
#: pg_read_all_stats, at once.
IDENTITY = """,
    (SELECT system_identifier FROM pg_control_system()),
    greatest((SELECT min_recovery_end_timeline FROM pg_control_recovery()),
        (SELECT received_tli FROM pg_stat_wal_receiver))"""
#: The end of everything written so far, on disk or not. Every commit until now lies before it.
WRITTEN = "SELECT pg_walfile_name(pg_current_wal_insert_lsn()), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"


class Answer(NamedTuple):
    """What a server said of itself. `None`, or timeline 0: it does not say."""

    position: int | None = None
    timeline: int = 0
    cluster: int | None = None
    follows: bool = True


class Mark(NamedTuple):
    """What a replica must show before it may answer: a position of the primary's log, and when it was there."""

    timeline: int
    position: int | None
    #: Unix seconds.
    at: float

    def is_reached(self, answer: Answer) -> bool:
        """Return whether a replica shows it. Without positions, `REPLICA_PIN_SECONDS` must have passed."""
        if self.position is None or answer.position is None:
            return time.time() - self.at >= settings.REPLICA_PIN_SECONDS
        if 0 in (self.timeline, answer.timeline):
            return answer.position >= self.position
        # A later timeline has all of an earlier one that was not lost. An earlier one has nothing of a later one.
        return (answer.timeline, answer.position) >= (self.timeline, self.position)


def ask(connection: BaseDatabaseWrapper) -> Answer:
    """Ask a server. Raises Django's database errors if it does not answer."""
    if connection.vendor != "postgresql":
        connection.ensure_connection()
        return Answer()
    try:
        row = _row(connection, STATUS + IDENTITY)
    except ProgrammingError:
        # Some hosts let only their own administrators ask.
        row = (*_row(connection, STATUS), None, None)
    follows, position, file, cluster, timeline = row
    return Answer(
        None if position is None else int(position), int(file[:8], 16) if file else timeline or 0, cluster, follows
    )


def mark_now(at: float | None = None) -> Mark:
    """Return a mark after everything that was committed until now. If the primary does not say, it has the time alone.

    Argument `at`: another time for it.
    """
    at = time.time() if at is None else at
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        # The page is made. An error here would lose it.
        with contextlib.suppress(Error):
            file, position = _row(connection, WRITTEN)
            return Mark(int(file[:8], 16), int(position), at)
    return Mark(0, None, at)


def as_text(position: int | None) -> str | None:
    """Return a position as PostgreSQL writes it, such as `16/B374D848`."""
    return None if position is None else f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def _row(connection: BaseDatabaseWrapper, sql: str) -> tuple[Any, ...]:
    connection.ensure_connection()
    # A web process's connection can limit how long it waits for the server.
    limited_to = getattr(connection.connection, "limited_to", contextlib.nullcontext)
    with limited_to(settings.REPLICA_ANSWER_SECONDS), connection.cursor() as cursor:
        cursor.execute(sql)
        found: tuple[Any, ...] = cursor.fetchone()
    return found
