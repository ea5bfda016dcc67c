"""How far the primary has come, and how far a replica has followed: positions in PostgreSQL's log, time elsewhere.

Source: PostgreSQL manual, 9.28.3 (backup control functions) and 9.28.4 (recovery control functions).
"""

from __future__ import annotations

import time
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

#: The end of all that was written so far, whether it is on disk already or not: no commit before now lies behind it.
WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
#: The end of what standbys can have been sent.
SENT = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
REPLAYED = """
SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'),
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
"""


class NoReplicaError(DatabaseError):
    """What was configured as a replica does not follow the primary: it was promoted, or never was one."""


class Replayed(NamedTuple):
    """How far a replica has come: bytes of log, and seconds since the last commit it has. `None` where unknown."""

    position: int | None = None
    seconds: float | None = None


class Mark(NamedTuple):
    """A moment of the primary that must have come to a replica before it may answer: position, seconds since 1970."""

    position: int | None
    at: float

    def is_reached(self, position: int | None) -> bool:
        """Return whether a replica at this position shows what was written before the mark.

        Where the engine has no positions, `REPLICA_PIN_SECONDS` must have passed.
        """
        if self.position is None or position is None:
            return time.time() - self.at >= settings.REPLICA_PIN_SECONDS
        return position >= self.position


def mark() -> Mark:
    """Return the mark of everything that this thread has committed. An outage leaves a mark by time alone."""
    at = time.time()
    try:
        return Mark(_asked(WRITTEN), at)
    except Error:
        # The answer that the mark is for has been made already, and must not be lost.
        return Mark(None, at)


def of_primary() -> int | None:
    """Return the position up to which replicas may have been sent the log. Raises Django's database errors."""
    return _asked(SENT)


def of_replica(connection: BaseDatabaseWrapper) -> Replayed:
    """Ask a replica how far it is: this also finds out whether it answers.

    Raises `NoReplicaError`, and Django's database errors.
    """
    if connection.vendor != "postgresql":
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        return Replayed()
    with connection.cursor() as cursor:
        cursor.execute(REPLAYED)
        follows, position, seconds = cursor.fetchone()
    if not follows:
        raise NoReplicaError(f"{connection.alias} is no standby")
    return Replayed(None if position is None else int(position), None if seconds is None else float(seconds))


def as_text(position: int | None) -> str | None:
    """Return a position as PostgreSQL writes it, such as `16/B374D848`."""
    return None if position is None else f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def _asked(sql: str) -> int | None:
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])
