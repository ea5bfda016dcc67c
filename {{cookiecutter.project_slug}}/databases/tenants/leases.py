"""Single connections to tenants: how the pool tests and closes one, and which ones a thread has."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from django.conf import settings
from django.db import OperationalError

from databases.tenants.context import TenantUnavailableError

if TYPE_CHECKING:
    from databases.tenants.backends.wrapper import TenantWrapper

#: Seconds for which the server may take to end a session, before another session begins in its place.
ENDING = 5
#: Seconds between two looks of a waiting thread at what other threads have left.
LOOK_AGAIN = 0.1
#: Seconds without a statement after which a connection counts as forgotten by its thread.
FORGOTTEN = 60
#: Leases that threads have not given back. The pool closes them.
left: deque[Lease] = deque()
_of_all_threads: WeakSet[TenantWrapper] = WeakSet()


class TooManyConnectionsError(OperationalError, TenantUnavailableError):
    """All connections that this process may have are in use, and none became free in time."""


class Lease:
    """A place in the pool with a connection of a driver."""

    def __init__(self, key: Hashable, raw: Any, wrapper: TenantWrapper) -> None:
        self.key = key
        self.raw = raw
        self.max_idle: float | None = wrapper.settings_dict["IDLE_SECONDS"]
        self._is_alive = wrapper.is_alive
        self.idle_since = 0.0
        #: Whether no request has used it yet.
        self.is_new = True

    def is_alive(self) -> bool:
        """Return whether it can be used."""
        return self._is_alive(self.raw)

    def is_too_old(self) -> bool:
        """Return whether it has been idle for its time."""
        return self.max_idle is not None and time.monotonic() >= self.idle_since + self.max_idle

    def finish(self) -> None:
        """Close the connection, and wait until the server has ended its session. It would count beside the next one.

        A copy of the socket stays open meanwhile: the server closes its end when the session is over.
        """
        with contextlib.suppress(Exception):
            # A connection that fails to close is closed already. SQLite's has no socket.
            socket = os.dup(self.raw.fileno()) if hasattr(self.raw, "fileno") else None
            try:
                self.raw.close()
                deadline = time.monotonic() + ENDING
                # The answer to a last statement may come before the end.
                while socket is not None and is_readable(socket, deadline - time.monotonic()):
                    if not os.read(socket, 65536):
                        break
            finally:
                if socket is not None:
                    os.close(socket)


class Waiter:
    """A thread that waits for a connection, or for the place of one."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.since = time.monotonic()
        self.served = threading.Event()
        self.lease: Lease | None = None

    def wait(self, close_what_is_left: Callable[[], None]) -> None:
        """Wait for up to `TENANT_CONNECTION_WAIT` seconds. Raises `TooManyConnectionsError`."""
        deadline = self.since + settings.TENANT_CONNECTION_WAIT
        while not self.served.wait(LOOK_AGAIN):
            take_back_forgotten()
            close_what_is_left()
            if time.monotonic() >= deadline and not self.served.is_set():
                raise TooManyConnectionsError(
                    f"All {settings.TENANT_CONNECTIONS} connections to tenants that this process may have were in use "
                    f"for {settings.TENANT_CONNECTION_WAIT} seconds: raise TENANT_CONNECTIONS, or run fewer threads."
                )


class Opened(threading.local):
    """The connections to tenants that this thread has now."""

    def __init__(self) -> None:
        self._wrappers = _OfThread()

    def add(self, wrapper: TenantWrapper) -> None:
        self._wrappers[wrapper] = None
        _of_all_threads.add(wrapper)

    def forget(self, wrapper: TenantWrapper) -> None:
        """Remove a connection that the thread has given back."""
        self._wrappers.pop(wrapper, None)

    def aliases(self) -> list[str]:
        return [*dict.fromkeys(wrapper.alias for wrapper in self._wrappers if wrapper.lease is not None)]

    def give_back(self) -> None:
        """Give back the connections of this thread that are not in use."""
        for wrapper in [*self._wrappers]:
            if not wrapper.may_have_uncommitted():
                wrapper.close_if_unusable_or_obsolete()

    def disown(self) -> list[Lease | None]:
        """Leave the connections to the process that this one was forked from."""
        leases = [wrapper.let_go() for wrapper in self._wrappers]
        for wrapper in self._wrappers:
            wrapper.connection = None
        self._wrappers.clear()
        _of_all_threads.clear()
        return leases


class _OfThread(dict["TenantWrapper", None]):
    def __del__(self, left: deque[Lease] = left) -> None:
        # The thread has ended. No lock is taken here: garbage collection may run at any moment. The argument's default
        # outlives this module's names when Python ends.
        left.extend(lease for wrapper in self if (lease := wrapper.let_go()) is not None)


def take_back_forgotten() -> None:
    """Leave to the pool what other threads have not used for long.

    In a thread of an executor no request ends, which would give its connection back.
    """
    # Another thread may change the set meanwhile. The next look finds what this one misses.
    with contextlib.suppress(RuntimeError):
        for wrapper in list(_of_all_threads):
            if time.monotonic() < wrapper.used_at + FORGOTTEN or wrapper.is_in_use() or wrapper.may_have_uncommitted():
                continue
            lease = wrapper.let_go()
            if lease is not None:
                # Its thread connects again if it needs to.
                wrapper.connection = None
                left.append(lease)


def is_readable(socket: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(max(0, seconds) * 1000))


opened = Opened()
