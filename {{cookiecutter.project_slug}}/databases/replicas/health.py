"""Chooses a replica: it must be available, follow the primary, and lag by no more than the settings allow.

This module queries the databases, so the router need not.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils.asyncio import async_unsafe

from databases.replicas import positions
from databases.replicas.positions import Replayed, WritePosition

logger = logging.getLogger(__name__)

#: Seconds for which a process caches the primary's position, to which it compares its replicas.
PRIMARY_SECONDS = 1.0


class ReplicaStatus(NamedTuple):
    """The position of a replica in the log, and its lag in bytes of log and in seconds. `None` if unknown."""

    position: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None

    def lags(self, seconds: float) -> bool:
        """Return whether the replica is known to be behind by more than this."""
        return self.lag_seconds is not None and self.lag_seconds > seconds

    def __str__(self) -> str:
        if self.lag_bytes is None:
            return "its lag is unknown"
        lag = f"{self.lag_bytes} bytes behind" if self.lag_bytes else "not behind"
        if self.lag_bytes and self.lag_seconds is not None:
            lag += f", {self.lag_seconds:.1f} s"
        return lag if self.position is None else f"at {positions.as_text(self.position)}, {lag}"


@dataclass
class _Known:
    """What this process remembers about a replica."""

    retry_at: float = 0.0
    is_unhealthy: bool = False
    #: When it last had everything that the primary had.
    caught_up_at: float | None = None


_known: dict[str, _Known] = {}
#: When this process last asked for the primary's position, and the answer.
_primary: tuple[float, int | None] = (float("-inf"), None)


def aliases() -> list[str]:
    """Return the aliases of the configured replicas: `replica`, `replica_2` and so on, or an empty list."""
    return [alias for alias in connections if is_replica(alias)]


def is_replica(alias: str) -> bool:
    """Return whether this alias names a replica."""
    return alias == "replica" or alias.startswith("replica_")


@async_unsafe("The project queries a replica before using it: write `async with use_replica():` in a coroutine.")
def choose_replica(after: WritePosition | None = None) -> str:
    """Return the alias of a replica that may answer, or the primary's alias if none may.

    Argument `after`: the write that the replica must show. Tries the replicas in random order, by weight. Skips one for
    `REPLICA_RETRY_SECONDS` if it fails or lags by more than `REPLICA_MAX_LAG_SECONDS`. Raises
    `SynchronousOnlyOperation` in a coroutine.
    """
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        # Every read stays on the primary. In a TestCase, connecting to the replica may even be an error.
        return DEFAULT_DB_ALIAS
    return next((alias for alias in _shuffled(aliases()) if _may_answer(alias, after)), DEFAULT_DB_ALIAS)


def replica_status(alias: str) -> ReplicaStatus:
    """Ask a replica for its status. Raises `NotAReplicaError` and Django's database errors."""
    if _is_primary_itself(alias):
        return ReplicaStatus(None, 0, 0.0)
    connection = connections[alias]
    connection.close_if_unusable_or_obsolete()
    was_open = connection.connection is not None
    # The query below checks this connection's health. Without this flag, Django sends another query to do so.
    connection.health_check_done = connection.vendor == "postgresql"  # type: ignore[attr-defined]
    try:
        found = positions.of_replica(connection)
    except Error:
        connection.close()
        if not was_open:
            raise
        # Perhaps only the connection is lost, because the server has restarted since the last request.
        found = positions.of_replica(connection)
    return _compared(_known.setdefault(alias, _Known()), found)


def _may_answer(alias: str, after: WritePosition | None) -> bool:
    known, now = _known.setdefault(alias, _Known()), time.monotonic()
    if known.retry_at > now:
        return False
    if known.is_unhealthy:
        # This request tries it. The others must not wait for it as well.
        known.retry_at = now + settings.REPLICA_RETRY_SECONDS
    try:
        status = replica_status(alias)
    except Error as error:
        # Only the class: a driver's message quotes the address, and sometimes the user.
        return _skip(alias, known, f"cannot be used ({type(error).__name__})")
    if status.lags(settings.REPLICA_MAX_LAG_SECONDS):
        return _skip(alias, known, f"is {status.lag_seconds:.0f} seconds behind")
    if known.is_unhealthy:
        known.is_unhealthy, known.retry_at = False, 0.0
        logger.info("The replica %s is used again", alias)
    return after is None or after.is_reached(status.position)


def _skip(alias: str, known: _Known, reason: str) -> bool:
    known.is_unhealthy, known.retry_at = True, time.monotonic() + settings.REPLICA_RETRY_SECONDS
    logger.warning("The replica %s %s; skipping it for %s seconds", alias, reason, settings.REPLICA_RETRY_SECONDS)
    return False


def _compared(known: _Known, found: Replayed) -> ReplicaStatus:
    asked, primary = _position_of_primary()
    if primary is None or found.position is None:
        # The primary is down, or the engine has no positions: a replica is better than no answer.
        return ReplicaStatus(found.position)
    if found.position >= primary:
        known.caught_up_at = asked
        return ReplicaStatus(found.position, 0, 0.0)
    # After an hour without writes, the last commit is an hour old. A commit that arrived on the primary a moment ago
    # does not make that an hour's lag.
    since = [time.monotonic() - known.caught_up_at] if known.caught_up_at is not None else []
    seconds = min([*since, *([] if found.seconds is None else [found.seconds])], default=None)
    return ReplicaStatus(found.position, primary - found.position, seconds)


def _position_of_primary() -> tuple[float, int | None]:
    global _primary
    now = time.monotonic()
    if now - _primary[0] > PRIMARY_SECONDS:
        try:
            _primary = (now, positions.of_primary())
        except Error:
            _primary = (now, None)
    return _primary


def _is_primary_itself(alias: str) -> bool:
    """Return whether this alias leads to the primary, as it does in development and tests."""
    one, other = connections[alias].settings_dict, connections[DEFAULT_DB_ALIAS].settings_dict
    return all(one[key] == other[key] for key in ("ENGINE", "HOST", "PORT", "NAME", "OPTIONS"))


def _shuffled(replicas: list[str]) -> list[str]:
    """Return replicas in random order. Each is first in proportion to its weight."""
    # Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir".
    weights = {alias: connections.settings[alias].get("WEIGHT", 1) for alias in replicas}
    return sorted(replicas, key=lambda alias: random.random() ** (1 / weights[alias]), reverse=True)  # noqa: S311
