"""Chooses a replica that may answer, and opens a connection to it, or else the primary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from weakref import WeakSet
from zlib import crc32

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections

from databases.environment import address_of
from databases.replicas import positions, watch
from databases.replicas.positions import Mark

logger = logging.getLogger(__name__)

#: Sessions on replicas that can give up waiting, in this process.
_sessions: defaultdict[str, WeakSet[Any]] = defaultdict(WeakSet)
#: Seconds between two questions to a replica that is to catch up.
CATCH_UP_SECONDS = 0.02


def choose(after: Mark, homes: Collection[str] = (), *, patient: bool = False) -> str:
    """Return the alias of a replica that may answer, or the primary's alias if none may.

    Tries the replicas in random order, by weight. In an event loop, which must not wait, it uses what is known.
    Arguments: what the replica must show; the only replicas that may answer, by `name_of`, while the primary could
    answer instead; and whether to wait until one shows that, for up to `REPLICA_ANSWER_SECONDS`.
    """
    replicas = watch.aliases()
    if not all(map(watch.is_primary_itself, replicas)):
        watch.ask_again(wait=not is_in_event_loop())
    end = time.monotonic() + (settings.REPLICA_ANSWER_SECONDS if patient else 0.0)
    # Who read from two at once has no home: one of them may show less than the other.
    at_home = [alias for alias in replicas if {name_of(alias)} == set(homes)]
    others = [] if homes and watch.primary_answers() else [alias for alias in replicas if alias not in at_home]
    for alias in (*_shuffled(at_home), *_shuffled(others)):
        if _may_answer(alias, after, end, patient=patient):
            return alias
    return DEFAULT_DB_ALIAS


def name_of(alias: str | None) -> str:
    """Return a name of the server that outlives changes of the order of `REPLICA_DATABASE_URLS`."""
    return f"{crc32(address_of(connections.settings[str(alias)]).encode()):08x}"


def _may_answer(alias: str, after: Mark, end: float, *, patient: bool) -> bool:
    reason = watch.problem(alias)
    _report(alias, reason)
    if reason == watch.UNKNOWN_LAG and patient:
        # A process that has just started. Whatever shows in time what the primary had at the start does not lag.
        reason = ""
    return not reason and _opens(alias) and shows(alias, after, end)


def _opens(alias: str) -> bool:
    """Open this thread's connection, so that no page meets one that is lost. Return whether that went well."""
    if is_in_event_loop():
        return True
    known, start = watch.server(alias), time.monotonic()
    if known.opens_since is not None and start - known.opens_since > watch.JOIN_SECONDS:
        return False
    known.opens_since = known.opens_since or start
    try:
        # A cursor needs a connection, and a check of its health.
        connections[alias].cursor().close()
        if hasattr(connections[alias].connection, "given_up_at"):
            _sessions[alias].add(connections[alias].connection)
    except Error as error:
        known.fail(error)
        _report(alias, watch.problem(alias))
        return False
    except AssertionError:
        # Django lets a test connect only to the databases that its class names.
        return False
    finally:
        known.opens_since = None
    return True


def shows(alias: str, after: Mark, end: float) -> bool:
    """Return whether a replica shows what it must. If its last answer does not, ask it again, until a time."""
    known, is_asked = watch.server(alias), False
    while not after.is_reached(known.answer):
        if known.answer.position is None or is_in_event_loop() or (is_asked and time.monotonic() >= end):
            return False
        if is_asked:
            time.sleep(CATCH_UP_SECONDS)
        try:
            known.answer, known.answered_at = positions.ask(connections[alias]), time.monotonic()
        except Error as error:
            known.fail(error)
            return False
        is_asked = True
    return True


def _report(alias: str, reason: str) -> None:
    """Log once that a replica is not used any more, and once that it is used again. Wake requests that wait for it."""
    known = watch.server(alias)
    # Another thread may add a session meanwhile. The next request wakes those that this one misses.
    with contextlib.suppress(RuntimeError):
        for session in _sessions[alias] if known.hangs() else ():
            # Requests that wait for it get an error now, and ask the primary.
            session.given_up_at = time.monotonic()
    if bool(reason) != known.is_reported and reason not in (watch.UNKNOWN_LAG, watch.UNASKED):
        known.is_reported = bool(reason)
        logger.warning(
            "The replica %s %s", alias, f"{reason}; others answer until it is healthy" if reason else "is used again"
        )


def is_in_event_loop() -> bool:
    """Return whether this code must not wait for a database, as in a coroutine."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _shuffled(replicas: list[str]) -> list[str]:
    """Return replicas in random order. Each is first in proportion to its weight."""
    # Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir".
    weights = {alias: connections.settings[alias].get("WEIGHT", 1) for alias in replicas}
    return sorted(replicas, key=lambda alias: random.random() ** (1 / weights[alias]), reverse=True)  # noqa: S311
