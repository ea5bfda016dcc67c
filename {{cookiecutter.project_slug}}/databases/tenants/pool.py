"""The connections to tenants that this process has, in use and idle: never more than `TENANT_CONNECTIONS`."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings

from databases.tenants.leases import Lease, Waiter, left, opened

if TYPE_CHECKING:
    from databases.tenants.backends.wrapper import TenantWrapper

#: Of this number of connections, idle the longest, the pool closes the one whose tenant is used least.
CANDIDATES = 64
#: After this number of uses, earlier uses count half.
HALF_LIFE = 4096
#: Seconds after which a waiting thread is served first, even if another one could take an open connection.
WAITS_LONG = 1


class Pool:
    """Counts all connections, and keeps the idle ones. Any thread may call its methods."""

    def __init__(self) -> None:
        self._inherited: list[object] = []
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._taken = 0
        self._uses: Counter[Hashable] = Counter()
        #: Idle the longest first.
        self._idle: OrderedDict[Lease, None] = OrderedDict()
        self._idle_of: dict[Hashable, list[Lease]] = {}
        #: Waiting the longest first. While there are any, nothing is idle.
        self._waiting: dict[Waiter, None] = {}
        self._timer: threading.Timer | None = None

    def take(self, key: Hashable, connect: Callable[[], Any], wrapper: TenantWrapper) -> Lease:
        """Return an idle connection to the database of `key`, or a new one for which there is a place.

        Arguments: the key, what connects, and for whom. Waits for up to `TENANT_CONNECTION_WAIT` seconds. Raises
        `TooManyConnectionsError`, and what connecting raises.
        """
        found = self._find(key)
        try:
            if found is not None and found.key == key and found.is_alive():
                return found
            if found is not None:
                found.finish()
            return Lease(key, connect(), wrapper)
        except BaseException:
            self._vacate(1)
            raise

    def give_back(self, lease: Lease, reusable: bool) -> None:
        """Take a connection back. It is closed unless another request may use it."""
        lease.is_new = False
        with self._lock:
            if reusable and lease.max_idle != 0:
                if not self._serve(lease):
                    lease.idle_since = now = time.monotonic()
                    self._idle[lease] = None
                    self._idle_of.setdefault(lease.key, []).append(lease)
                    self._wake_up_later(now)
                return
        self._close([lease])

    def close_idle(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle = [self._pop(each) for each in list(self._idle)]
        self._close(idle)

    def counts(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many are idle."""
        with self._lock:
            return self._count - len(self._idle), len(self._idle)

    def start_in_child(self) -> None:
        """Start empty in a forked process. The connections are the parent's: closing them would end its sessions."""
        self._inherited.append((self._idle, [*left], opened.disown()))
        left.clear()
        self._start()

    def _find(self, key: Hashable) -> Lease | None:
        """Return an idle connection, to use or to replace, or `None` if there is a place for another one."""
        self._close_what_is_left()
        with self._lock:
            self._uses[key] += 2
            self._taken += 1
            if self._taken % HALF_LIFE == 0:
                self._uses = Counter({each: uses // 2 for each, uses in self._uses.items() if uses > 1})
            if key in self._idle_of:
                return self._pop(self._idle_of[key][-1])
            if self._count < settings.TENANT_CONNECTIONS:
                self._count += 1
                return None
            if self._idle:
                return self._pop(min(islice(self._idle, CANDIDATES), key=lambda lease: self._uses[lease.key]))
            waiter = Waiter(key)
            self._waiting[waiter] = None
        return self._wait(waiter)

    def _wait(self, waiter: Waiter) -> Lease | None:
        try:
            waiter.wait(self._close_what_is_left)
        except BaseException:
            # Also a timeout of gevent. A place that is given to a thread that has stopped waiting would be lost.
            self._stop_waiting(waiter)
            raise
        return waiter.lease

    def _stop_waiting(self, waiter: Waiter) -> None:
        with self._lock:
            if not waiter.served.is_set():
                del self._waiting[waiter]
                return
        if waiter.lease is None:
            self._vacate(1)
        else:
            self.give_back(waiter.lease, reusable=True)

    def _serve(self, lease: Lease | None) -> bool:
        """Give a connection, or the place of one, to a waiting thread, and return whether there is any.

        A thread that waits for the same database comes first, because it needs no new connection, unless another one
        has waited for long.
        """
        if not self._waiting:
            return False
        waiter = next(iter(self._waiting))
        if lease is not None and waiter.since > time.monotonic() - WAITS_LONG:
            waiter = next((each for each in islice(self._waiting, CANDIDATES) if each.key == lease.key), waiter)
        del self._waiting[waiter]
        waiter.lease = lease
        waiter.served.set()
        return True

    def _vacate(self, places: int) -> None:
        with self._lock:
            for _ in range(places):
                if not self._serve(None):
                    self._count -= 1

    def _close(self, leases: list[Lease]) -> None:
        for each in leases:
            each.finish()
        self._vacate(len(leases))

    def _pop(self, lease: Lease) -> Lease:
        del self._idle[lease]
        self._idle_of[lease.key].remove(lease)
        if not self._idle_of[lease.key]:
            del self._idle_of[lease.key]
        return lease

    def _close_what_is_left(self) -> None:
        # Another thread may be doing the same.
        with contextlib.suppress(IndexError):
            while left:
                self._close([left.popleft()])

    def _wake_up_later(self, now: float) -> None:
        """Have the next connection closed at its age, also if no other request comes."""
        if self._timer is not None:
            return
        ages = [lease.max_idle - (now - lease.idle_since) for lease in self._idle if lease.max_idle is not None]
        if ages:
            self._timer = threading.Timer(min(ages), self._close_old)
            self._timer.daemon = True
            self._timer.start()

    def _close_old(self) -> None:
        with self._lock:
            self._timer = None
            old = [self._pop(each) for each in list(self._idle) if each.is_too_old()]
            self._wake_up_later(time.monotonic())
        self._close(old)


pool = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.start_in_child)
