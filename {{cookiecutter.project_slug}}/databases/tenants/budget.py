"""The connections to tenants that a process keeps open: at most `TENANT_CONNECTIONS`, whichever thread uses them.

A connection is in use from the look-up of its alias until the request ends, by one thread. Then it waits, open, for the
next thread that asks for that tenant: the threads of a server share them, and so do async requests, each of which does
its database work in a thread that ends with it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from .registry import Tenant


class InUse(OrderedDict[str, BaseDatabaseWrapper]):
    """The connections of one thread by alias, the least recently used first.

    Those for upkeep, which have no attribute `tenant`, are none of the budget's business.
    """

    def __del__(self) -> None:
        # Its thread has ended. No lock is taken here: this may run at any moment.
        budget.abandoned.extend(self.values())


class Budget:
    """Who has which connection. Its methods may be called by any thread that runs no event loop."""

    def __init__(self) -> None:
        #: Those of threads that ended without giving them back, to be closed by the next one that comes along.
        self.abandoned: deque[BaseDatabaseWrapper] = deque()
        #: Those of the process that this one was forked from. To close them, even by forgetting them, would end them
        #: for that process too.
        self.inherited: list[BaseDatabaseWrapper] = []
        self._lock = threading.Lock()
        self._in_use: set[BaseDatabaseWrapper] = set()
        #: The least recently used first.
        self._idle: list[BaseDatabaseWrapper] = []

    def take(
        self, tenant: Tenant, of_thread: InUse, make: Callable[[Tenant], BaseDatabaseWrapper]
    ) -> BaseDatabaseWrapper:
        """Return an idle connection of the tenant, or a new one that there is room for.

        Arguments: the tenant, what the thread has in use, and what makes a connection; what that raises goes on. To
        make room, idle connections are closed, then the thread's own: the least recently used first, and never one in
        a transaction. Where that is not enough the budget is exceeded, rather than the request kept waiting.
        """
        with self._lock:
            alias = tenant.alias
            same = [each for each in self._idle if each.alias == alias]
            fitting = [each for each in same if each.tenant.place == tenant.place]  # type: ignore[attr-defined]
            taken = fitting[-1] if fitting else make(tenant)
            closing = self._drop_idle([each for each in same if each not in fitting])
            self._drop_idle([taken])
            self._in_use.add(taken)
            closing += self._drop_surplus()
            for alias, connection in list(of_thread.items()):
                if len(self._in_use) > settings.TENANT_CONNECTIONS and _may_go(connection):
                    self._in_use.discard(connection)
                    closing.append(of_thread.pop(alias))
        _close(closing)
        _adopt(taken)
        taken.queries_log.clear()
        taken.close_if_unusable_or_obsolete()
        return taken

    def give_back(self, of_thread: InUse) -> None:
        """Take back what a thread has in use, but for what is in a transaction. What is not as new is closed."""
        given = [of_thread.pop(alias) for alias, connection in list(of_thread.items()) if _may_go(connection)]
        for connection in given:
            with contextlib.suppress(Error):
                connection.close_if_unusable_or_obsolete()
        _close([each for each in given if not _is_as_new(each)])
        now = time.monotonic()
        with self._lock:
            self._in_use.difference_update(given)
            self._idle += [each for each in given if each.connection is not None]
            # Django closes old connections of the thread that a request is for, and knows nothing of these.
            closing = self._drop_idle([each for each in self._idle if each.close_at and each.close_at <= now])
            closing += self._drop_surplus()
        _close(closing)

    def forget(self, alias: str, connections: list[BaseDatabaseWrapper]) -> None:
        """Close these connections, which were in use, and the idle ones of an alias."""
        with self._lock:
            self._in_use.difference_update(connections)
            closing = self._drop_idle([each for each in self._idle if each.alias == alias])
        _close([*connections, *closing])

    def start_in_child(self) -> None:
        """Start anew in a process that was forked from this one, whose threads are not there."""
        self.inherited += [*self._idle, *self._in_use, *self.abandoned]
        self._lock, self._in_use, self._idle = threading.Lock(), set(), []
        self.abandoned.clear()

    def counts(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many are idle."""
        return len(self._in_use), len(self._idle)

    def _drop_surplus(self) -> list[BaseDatabaseWrapper]:
        closing = [self.abandoned.popleft() for _ in range(len(self.abandoned))]
        self._in_use.difference_update(closing)
        surplus = len(self._in_use) + len(self._idle) - settings.TENANT_CONNECTIONS
        return closing + self._drop_idle(self._idle[: max(0, surplus)])

    def _drop_idle(self, connections: list[BaseDatabaseWrapper]) -> list[BaseDatabaseWrapper]:
        if connections:
            self._idle = [each for each in self._idle if each not in connections]
        return connections


def note_wrappers(connection: BaseDatabaseWrapper) -> None:
    """Note what watches the statements of a connection now that it is new, to know it from what a request left."""
    connection.wrappers_when_new = [*connection.execute_wrappers]  # type: ignore[attr-defined]


def _may_go(connection: BaseDatabaseWrapper) -> bool:
    return hasattr(connection, "tenant") and not connection.in_atomic_block


def _is_as_new(connection: BaseDatabaseWrapper) -> bool:
    return (
        connection.autocommit
        and not connection.needs_rollback
        and not connection.allow_thread_sharing
        and connection.execute_wrappers == getattr(connection, "wrappers_when_new", None)
    )


def _close(connections: list[BaseDatabaseWrapper]) -> None:
    for each in connections:
        _adopt(each)
        # What cannot be closed properly has gone already.
        with contextlib.suppress(Error):
            each.close()


def _adopt(connection: BaseDatabaseWrapper) -> None:
    # Django refuses the use by another thread than this one, from now on.
    connection._thread_ident = threading.get_ident()  # type: ignore[attr-defined]


budget = Budget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=budget.start_in_child)
