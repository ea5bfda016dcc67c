"""How far a replica has followed the primary: by positions in PostgreSQL's write-ahead log, on other engines by time.

Source: PostgreSQL manual, 9.28.3 (backup control functions) and 9.28.4 (recovery control functions).
"""

from __future__ import annotations

import time
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

#: The end of everything written so far, on disk or not. Every commit until now lies before it.
WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
#: The end of the log that can have been sent to standbys.
SENT = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
REPLAYED = """
SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'),
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
"""


class NotAReplicaError(DatabaseError):
    """A server configured as a replica does not follow the primary: it was promoted, or never was a replica."""


class Replayed(NamedTuple):
    """What a replica has replayed: its position in bytes, and seconds since its last commit. `None` if unknown."""

    position: int | None = None
    seconds: float | None = None


class WritePosition(NamedTuple):
    """A write that a replica must show before it may answer: its position in the log, and its time (Unix seconds)."""

    position: int | None
    at: float

    def is_reached(self, position: int | None) -> bool:
        """Return whether a replica at this position shows the write.

        If one of the positions is unknown, `REPLICA_PIN_SECONDS` must have passed.
        """
        if self.position is None or position is None:
            return time.time() - self.at >= settings.REPLICA_PIN_SECONDS
        return position >= self.position


def current_position() -> WritePosition:
    """Return a position after everything that this thread has committed. If the primary is down, only the time."""
    at = time.time()
    try:
        return WritePosition(_position_at_primary(WRITTEN), at)
    except Error:
        # The view has already made its response. An error here would lose it.
        return WritePosition(None, at)


def of_primary() -> int | None:
    """Return the position up to which the primary may have sent its log. Raises Django's database errors."""
    return _position_at_primary(SENT)


def of_replica(connection: BaseDatabaseWrapper) -> Replayed:
    """Ask a replica for its position. Raises `NotAReplicaError`, and Django's database errors if it does not answer."""
    if connection.vendor != "postgresql":
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        return Replayed()
    with connection.cursor() as cursor:
        cursor.execute(REPLAYED)
        follows, position, seconds = cursor.fetchone()
    if not follows:
        raise NotAReplicaError(f"{connection.alias} is not a standby")
    return Replayed(None if position is None else int(position), None if seconds is None else float(seconds))


def as_text(position: int | None) -> str | None:
    """Return a position as PostgreSQL writes it, such as `16/B374D848`."""
    return None if position is None else f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def _position_at_primary(sql: str) -> int | None:
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
