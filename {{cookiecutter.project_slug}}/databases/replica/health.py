"""Which replicas answer. The only part of the role that asks a database anything, so that the router need not."""

from __future__ import annotations

import logging
import random
import time

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

logger = logging.getLogger(__name__)

_retry_at: dict[str, float] = {}


def aliases() -> list[str]:
    """Return the aliases of the configured replicas: `replica`, `replica_2` and so on. There may be none."""
    return [alias for alias in connections if is_replica(alias)]


def is_replica(alias: str) -> bool:
    """Return whether an alias is a replica's."""
    return alias == "replica" or alias.startswith("replica_")


def pick() -> str:
    """Return the alias of a replica that answers, in random order to spread the load, or the primary's if none does.

    A replica that failed is left alone for `REPLICA_RETRY_SECONDS`.
    """
    if connections[DEFAULT_DB_ALIAS].in_atomic_block:
        # Every read would stay on the primary; in a TestCase, a replica may not even be connected to.
        return DEFAULT_DB_ALIAS
    candidates = aliases()
    for alias in random.sample(candidates, len(candidates)):
        if _retry_at.get(alias, 0.0) <= time.monotonic() and _answers(alias):
            return alias
    return DEFAULT_DB_ALIAS


def _answers(alias: str) -> bool:
    connection = connections[alias]
    try:
        connection.close_if_unusable_or_obsolete()
        connection.ensure_connection()
    except SynchronousOnlyOperation:
        # A coroutine may not connect; its queries will, in a thread of theirs.
        return True
    except DatabaseError as error:
        _retry_at[alias] = time.monotonic() + settings.REPLICA_RETRY_SECONDS
        # The class only: a driver's message quotes the address, and some the user.
        logger.warning("The replica %s does not answer (%s); it is skipped for a while", alias, type(error).__name__)
        return False
    return True
