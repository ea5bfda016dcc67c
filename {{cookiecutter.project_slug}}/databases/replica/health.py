"""Which replica may answer: it must be reachable, follow the primary, and lag by no more than the settings allow.

The only part of the role that asks a database anything, so that the router need not.
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

from . import positions
from .positions import Mark, Replayed

logger = logging.getLogger(__name__)

#: For so long a position of the primary is good enough to tell by how much a replica lags.
PRIMARY_SECONDS = 1.0


class Standing(NamedTuple):
    """How far a replica has come and by how much it lags: positions and bytes of log, seconds. `None` if unknown."""

    position: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None

    def lags(self, seconds: float) -> bool:
        """Return whether the replica is known to be behind by more than this."""
        return self.lag_seconds is not None and self.lag_seconds > seconds

    def __str__(self) -> str:
        if self.lag_bytes is None:
            return "its lag is not known"
        lag = f"{self.lag_bytes} bytes behind" if self.lag_bytes else "not behind"
        if self.lag_bytes and self.lag_seconds is not None:
            lag += f", {self.lag_seconds:.1f} s"
        return lag if self.position is None else f"at {positions.as_text(self.position)}, {lag}"


@dataclass
class _Known:
    """What this process remembers of a replica."""

    retry_at: float = 0.0
    is_sick: bool = False
    #: When it was last seen to have all that the primary had.
    caught_up_at: float | None = None


_known: dict[str, _Known] = {}
#: When the primary was asked last, and its position.
_primary: tuple[float, int | None] = (float("-inf"), None)


def aliases() -> list[str]:
    """Return the aliases of the configured replicas: `replica`, `replica_2` and so on. There may be none."""
    return [alias for alias in connections if is_replica(alias)]


def is_replica(alias: str) -> bool:
    """Return whether an alias is a replica's."""
    return alias == "replica" or alias.startswith("replica_")


@async_unsafe("A replica is asked before it is used: write `async with use_replica():` in a coroutine.")
def pick(after: Mark | None = None) -> str:
    """Return the alias of a replica that may answer, or the primary's if none may.

    Arguments: what the replica must show already. Each is tried in turn, heavier ones sooner. One that fails, or lags
    by more than `REPLICA_MAX_LAG_SECONDS`, is left alone for `REPLICA_RETRY_SECONDS`. Raises
    `SynchronousOnlyOperation` in a coroutine.
    """
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        # Every read would stay on the primary; in a TestCase, a replica may not even be connected to.
        return DEFAULT_DB_ALIAS
    return next((alias for alias in _shuffled(aliases()) if _may_answer(alias, after)), DEFAULT_DB_ALIAS)


def look_at(alias: str) -> Standing:
    """Ask a replica how it stands. Raises `NoReplicaError` and Django's database errors."""
    if _is_primary_itself(alias):
        return Standing(None, 0, 0.0)
    connection = connections[alias]
    connection.close_if_unusable_or_obsolete()
    was_open = connection.connection is not None
    # What follows is this connection's health check: Django need not make one of its own before the first query.
    connection.health_check_done = connection.vendor == "postgresql"  # type: ignore[attr-defined]
    try:
        found = positions.of_replica(connection)
    except Error:
        connection.close()
        if not was_open:
            raise
        # It may be the connection alone that is gone, because the server was started anew since the last request.
        found = positions.of_replica(connection)
    return _standing(_known.setdefault(alias, _Known()), found)


def _may_answer(alias: str, after: Mark | None) -> bool:
    known, now = _known.setdefault(alias, _Known()), time.monotonic()
    if known.retry_at > now:
        return False
    if known.is_sick:
        # One request tries it; the others need not wait for what comes of that.
        known.retry_at = now + settings.REPLICA_RETRY_SECONDS
    try:
        standing = look_at(alias)
    except Error as error:
        # The class only: a driver's message quotes the address, and some the user.
        return _set_aside(alias, known, f"does not answer as one ({type(error).__name__})")
    if standing.lags(settings.REPLICA_MAX_LAG_SECONDS):
        return _set_aside(alias, known, f"is {standing.lag_seconds:.0f} seconds behind")
    if known.is_sick:
        known.is_sick, known.retry_at = False, 0.0
        logger.info("The replica %s is used again", alias)
    return after is None or after.is_reached(standing.position)


def _set_aside(alias: str, known: _Known, why: str) -> bool:
    known.is_sick, known.retry_at = True, time.monotonic() + settings.REPLICA_RETRY_SECONDS
    logger.warning("The replica %s %s; it is skipped for a while", alias, why)
    return False


def _standing(known: _Known, found: Replayed) -> Standing:
    asked, primary = _position_of_primary()
    if primary is None or found.position is None:
        # The primary is away, or the engine does not tell: a replica is better than nothing.
        return Standing(found.position)
    if found.position >= primary:
        known.caught_up_at = asked
        return Standing(found.position, 0, 0.0)
    # After a quiet hour the last commit is an hour old, and one that is missing since a moment ago no hour's lag.
    since = [time.monotonic() - known.caught_up_at] if known.caught_up_at is not None else []
    seconds = min([*since, *([] if found.seconds is None else [found.seconds])], default=None)
    return Standing(found.position, primary - found.position, seconds)


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
    """Return whether an alias stands for the primary, as it does in development and tests."""
    one, other = connections[alias].settings_dict, connections[DEFAULT_DB_ALIAS].settings_dict
    return all(one[key] == other[key] for key in ("ENGINE", "HOST", "PORT", "NAME", "OPTIONS"))


def _shuffled(replicas: list[str]) -> list[str]:
    """Return replicas in random order, so that each is first as often as its weight says."""
    # Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir".
    weights = {alias: connections.settings[alias].get("WEIGHT", 1) for alias in replicas}
    return sorted(replicas, key=lambda alias: random.random() ** (1 / weights[alias]), reverse=True)  # noqa: S311
