"""The open connections to tenants of a process: at most `TENANT_CONNECTIONS`, counted over all threads.

One thread uses a connection from the first query of a request until the request ends. Then the connection is idle, and
stays open for the next thread that needs that tenant. Async requests benefit most: each does its database work in a
thread that ends with the request.
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

from databases.tenants.registry import Tenant


class InUse(OrderedDict[str, BaseDatabaseWrapper]):
    """The connections of one thread by alias, the least recently used first.

    Maintenance connections, which have no attribute `tenant`, are not counted by the budget.
    """

    def __del__(self) -> None:
        # The thread has ended. No lock is taken here: garbage collection may run at any moment.
        budget.abandoned.extend(self.values())


class Budget:
    """Counts connections in use and idle connections. Any thread that runs no event loop may call its methods."""

    def __init__(self) -> None:
        #: Connections of threads that ended without giving them back. The next call by another thread closes them.
        self.abandoned: deque[BaseDatabaseWrapper] = deque()
        #: Connections inherited through fork(). The references are kept: garbage collection would close the parent's
        #: sessions.
        self.inherited: list[BaseDatabaseWrapper] = []
        self._lock = threading.Lock()
        self._in_use: set[BaseDatabaseWrapper] = set()
        #: The least recently used first.
        self._idle: list[BaseDatabaseWrapper] = []

    def take(
        self, tenant: Tenant, of_thread: InUse, make: Callable[[Tenant], BaseDatabaseWrapper]
    ) -> BaseDatabaseWrapper:
        """Return an idle connection of the tenant, or a new one.

        Arguments: the tenant, the thread's connections in use, and a function that makes a connection. Raises what that
        function raises. Above the limit, idle connections are closed, then other connections of this thread: the least
        recently used first, and never one in a transaction. If that is not enough, the limit is exceeded instead of
        blocking the request.
        """
        with self._lock:
            alias = tenant.alias
            same = [each for each in self._idle if each.alias == alias]
            fitting = [each for each in same if each.tenant.connection_key == tenant.connection_key]  # type: ignore[attr-defined]
            taken = fitting[-1] if fitting else make(tenant)
            closing = self._drop_idle([each for each in same if each not in fitting])
            self._drop_idle([taken])
            self._in_use.add(taken)
            closing += self._drop_surplus()
            for alias, connection in list(of_thread.items()):
                if len(self._in_use) > settings.TENANT_CONNECTIONS and _is_returnable(connection):
                    self._in_use.discard(connection)
                    closing.append(of_thread.pop(alias))
        _close(closing)
        _adopt(taken)
        taken.queries_log.clear()
        taken.close_if_unusable_or_obsolete()
        return taken

    def give_back(self, of_thread: InUse) -> None:
        """Take back a thread's connections, except connections in a transaction. Changed connections are closed."""
        given = [of_thread.pop(alias) for alias, connection in list(of_thread.items()) if _is_returnable(connection)]
        for connection in given:
            with contextlib.suppress(Error):
                connection.close_if_unusable_or_obsolete()
        _close([each for each in given if not _is_unchanged(each)])
        now = time.monotonic()
        with self._lock:
            self._in_use.difference_update(given)
            self._idle += [each for each in given if each.connection is not None]
            # Django closes old connections of the current thread, but not idle ones.
            closing = self._drop_idle([each for each in self._idle if each.close_at and each.close_at <= now])
            closing += self._drop_surplus()
        _close(closing)

    def forget(self, alias: str, connections: list[BaseDatabaseWrapper]) -> None:
        """Close these connections, which were in use, and the idle connections of an alias."""
        with self._lock:
            self._in_use.difference_update(connections)
            closing = self._drop_idle([each for each in self._idle if each.alias == alias])
        _close([*connections, *closing])

    def start_in_child(self) -> None:
        """Reset the budget in a forked child process, which has none of the parent's threads."""
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
    """Record the execute wrappers of a new connection, to notice wrappers that a request leaves behind."""
    connection.wrappers_when_new = [*connection.execute_wrappers]  # type: ignore[attr-defined]


def _is_returnable(connection: BaseDatabaseWrapper) -> bool:
    return hasattr(connection, "tenant") and not connection.in_atomic_block


def _is_unchanged(connection: BaseDatabaseWrapper) -> bool:
    return (
        connection.autocommit
        and not connection.needs_rollback
        and not connection.allow_thread_sharing
        and connection.execute_wrappers == getattr(connection, "wrappers_when_new", None)
    )


def _close(connections: list[BaseDatabaseWrapper]) -> None:
    for each in connections:
        _adopt(each)
        # A connection that fails to close is closed already.
        with contextlib.suppress(Error):
            each.close()


def _adopt(connection: BaseDatabaseWrapper) -> None:
    # From now on Django allows this thread, and no other, to use the connection.
    connection._thread_ident = threading.get_ident()  # type: ignore[attr-defined]


budget = Budget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=budget.start_in_child)
