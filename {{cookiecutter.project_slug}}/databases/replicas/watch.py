"""What this process knows of the primary and its replicas, and which replica may answer.

Threads ask the servers, at most once in `ASK_SECONDS` and only while replicas are read. So a server that hangs costs
no request more than `REPLICA_ANSWER_SECONDS`, on any engine: a request can leave a thread, but no call of a driver.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from math import inf
from threading import Thread
from time import monotonic

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from databases.replicas import positions
from databases.replicas.positions import Answer

#: An answer is good for this time, and then for the time that the next one may take. A server that has failed is asked
#: less often: each time, the driver may log that it failed again.
ASK_SECONDS, RETRY_SECONDS = 1.0, 5.0
#: Seconds for which a request joins another one that waits for the same server.
JOIN_SECONDS = 0.1
#: What is no trouble, and therefore in no log.
UNKNOWN_LAG = "may lag: that is not known yet"
UNASKED = "has not answered yet"


@dataclass
class Server:
    """What this process knows of a database. Times are seconds of the monotonic clock."""

    answer: Answer = field(default_factory=Answer)
    #: When that answer came, and when the last question was sent.
    answered_at: float = -inf
    asked_at: float = -inf
    #: When the question was sent that a thread waits for, and the thread.
    waits_since: float | None = None
    thread: Thread | None = None
    #: The class of the last error. A question that was sent later clears it.
    error: str = ""
    failed_at: float = -inf
    is_ahead: bool = False
    #: Whether the log says that it is not used, and since when a request waits for a connection to it.
    is_reported: bool = False
    opens_since: float | None = None

    def fail(self, error: BaseException) -> None:
        """Record that it cannot be used. Of the error only the class: messages quote addresses and users."""
        self.error, self.failed_at = type(error.__cause__ or error).__name__, monotonic()

    def hangs(self) -> bool:
        """Return whether a question has been without an answer for too long."""
        return self.waits_since is not None and monotonic() - self.waits_since >= settings.REPLICA_ANSWER_SECONDS

    def is_known(self) -> bool:
        """Return whether its last answer is still good."""
        return monotonic() - self.answered_at < ASK_SECONDS + settings.REPLICA_ANSWER_SECONDS


_servers: dict[str, Server] = {}
#: When this process asked the primary for its position, and the position.
_history: deque[tuple[float, int]] = deque()


def forget() -> None:
    """Forget everything, as in a child process, where no thread of its parent waits for an answer."""
    _servers.clear()
    _history.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)


def server(alias: str) -> Server:
    """Return what is known of a database."""
    return _servers.setdefault(alias, Server())


def aliases() -> list[str]:
    """Return the aliases of the configured replicas: `replica`, `replica_2` and so on, or an empty list."""
    return [alias for alias in connections if is_replica(alias)]


def is_replica(alias: str | None) -> bool:
    """Return whether this alias names a replica."""
    return alias is not None and (alias == "replica" or alias.startswith("replica_"))


def is_primary_itself(alias: str) -> bool:
    """Return whether this alias leads to the primary, as it does in development and tests."""
    one, other = connections[alias].settings_dict, connections[DEFAULT_DB_ALIAS].settings_dict
    return all(one[key] == other[key] for key in ("ENGINE", "HOST", "PORT", "NAME", "OPTIONS"))


def ask_again(*, wait: bool) -> None:
    """Ask the servers whose answers are old. With `wait`, wait for servers without a good answer."""
    pending: list[tuple[Server, float]] = []
    primary = [DEFAULT_DB_ALIAS] if has_positions() else []
    for alias in primary + [each for each in aliases() if not is_primary_itself(each)]:
        known, now, seconds = server(alias), monotonic(), JOIN_SECONDS
        if known.waits_since is None and now - known.asked_at > (RETRY_SECONDS if known.error else ASK_SECONDS):
            known.waits_since = known.asked_at = now
            thread = Thread(target=_ask, args=[alias, known], daemon=True, name=f"asks {alias}")
            thread.start()
            known.thread = thread  # Not before: joining a thread that has not started is an error.
            # The first request that meets a server that hangs waits for it. The others do not.
            seconds = settings.REPLICA_ANSWER_SECONDS
        if wait and known.waits_since is not None and not known.error and not known.is_known():
            pending.append((known, known.waits_since + seconds))
    for known, end in pending:
        if known.thread:
            known.thread.join(max(0.0, end - monotonic()))


def has_positions() -> bool:
    """Return whether the primary can say where it is."""
    return connections[DEFAULT_DB_ALIAS].vendor == "postgresql"


def primary_answers() -> bool:
    """Return whether the primary has lately said where it is. Without positions, it is taken to be there."""
    known = server(DEFAULT_DB_ALIAS)
    fails = known.error or known.hangs() or known.answer.follows or not known.is_known()
    return not (has_positions() and fails)


def lag(position: int) -> tuple[float, float | None]:
    """Return for how many seconds a replica at a position lags at least, and at most. `None`: that is not known."""
    # Not from the age of its last commit: after a quiet hour, the next commit would make that an hour's lag.
    history = tuple(_history)
    reached = max((at for at, other in history if other <= position), default=None)
    missed = min((at for at, _ in history if reached is None or at > reached), default=monotonic())
    return monotonic() - missed, None if reached is None else monotonic() - reached


def problem(alias: str) -> str:
    """Return why a replica may not answer now, or an empty text."""
    if is_primary_itself(alias):
        return ""
    known, primary = server(alias), server(DEFAULT_DB_ALIAS).answer
    answer = known.answer
    if known.error:
        return f"cannot be used ({known.error})"
    if known.hangs():
        return "does not answer"
    if not known.is_known():
        return UNASKED
    if not answer.follows:
        return "is not a standby"
    if None not in (answer.cluster, primary.cluster) and answer.cluster != primary.cluster:
        return "belongs to another cluster than the primary"
    if 0 not in (answer.timeline, primary.timeline) and answer.timeline != primary.timeline:
        return f"is on timeline {answer.timeline}, and the primary is on {primary.timeline}"
    if known.is_ahead:
        return "is ahead of the primary"
    # While the primary does not answer, an old page is better than none.
    return _lags(answer.position) if has_positions() and primary_answers() else ""


def _lags(position: int | None) -> str:
    at_least, at_most = (0.0, None) if position is None else lag(position)
    if at_least > settings.REPLICA_MAX_LAG_SECONDS:
        return f"is more than {settings.REPLICA_MAX_LAG_SECONDS} seconds behind"
    return "" if at_most is not None and at_most <= settings.REPLICA_MAX_LAG_SECONDS else UNKNOWN_LAG


def _ask(alias: str, known: Server) -> None:
    asked = known.asked_at
    try:
        answer = positions.ask(connections[alias])
        if alias == DEFAULT_DB_ALIAS:
            _note_position(asked, answer)
        known.answer, known.answered_at = answer, monotonic()
        if known.failed_at <= asked:
            known.error = ""
    except Exception as error:
        known.fail(error)
    finally:
        known.waits_since = None
        connections[alias].close()


def _note_position(asked: float, answer: Answer) -> None:
    """Compare the replicas with the primary's new position. No standby that answered earlier is ahead of it."""
    if answer.timeline != server(DEFAULT_DB_ALIAS).answer.timeline:
        # The old primary may have been further than the new one is.
        _history.clear()
    if answer.position is None or answer.follows:
        return
    _history.append((asked, answer.position))
    while _history[0][0] < asked - 2 * settings.REPLICA_MAX_LAG_SECONDS - 60:
        _history.popleft()
    for alias in aliases():
        if server(alias).answered_at <= asked:
            server(alias).is_ahead = (server(alias).answer.position or 0) > answer.position
