"""What `/readyz` shows: whether the primary answers, and the status of each replica."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from databases.replicas import watch
from databases.replicas.choice import shows
from databases.replicas.positions import Mark, as_text


def health_of(alias: str) -> dict[str, Any] | None:
    """Return the state of the primary or of a replica, ready for JSON; None for other databases."""
    if watch.is_replica(alias):
        return status_of(alias)
    # Without positions, whether the primary answers a query is all there is to know.
    if alias != DEFAULT_DB_ALIAS or not watch.has_positions():
        return None
    watch.ask_again(wait=True)
    known = watch.server(alias)
    if watch.primary_answers():
        return {"healthy": True, "position": as_text(known.answer.position)}
    return {"healthy": False, "problem": known.error or "does not answer"}


def status_of(alias: str) -> dict[str, Any]:
    """Return the status of a replica, ready for JSON. What is not known is left out."""
    watch.ask_again(wait=True)
    replica, primary = watch.server(alias).answer, watch.server(DEFAULT_DB_ALIAS).answer
    if watch.problem(alias) == watch.UNKNOWN_LAG:
        # A process that has just started. If it follows, it soon shows what the primary had a moment ago.
        end = time.monotonic() + settings.REPLICA_ANSWER_SECONDS
        shows(alias, Mark(primary.timeline, primary.position, 0.0), end)
        replica = watch.server(alias).answer
    problem = watch.problem(alias)
    found: dict[str, Any] = {"healthy": not problem, "problem": problem, "position": as_text(replica.position)}
    if replica.position is not None and primary.position is not None and watch.primary_answers():
        found["lag_bytes"] = max(0, primary.position - replica.position)
        seconds = watch.lag(replica.position)[1]
        found["lag_seconds"] = None if seconds is None else round(seconds, 1)
    if connections[alias].vendor == "postgresql" and not watch.is_primary_itself(alias) and not problem:
        unverified = {"cluster": replica.cluster, "timeline": replica.timeline}
        found["unverified"] = " and ".join(name for name, value in unverified.items() if not value)
    return {name: value for name, value in found.items() if value not in (None, "")}
