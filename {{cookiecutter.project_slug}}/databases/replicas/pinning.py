"""Where reads go now: to the replica of the request or of `use_replica()` until it writes, else to the primary.

Outside of requests, in commands and tasks, reads go to the primary, because most of them read in order to write.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakSet

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper

from databases.replicas.health import choose_replica
from databases.replicas.positions import WritePosition, current_position

Function = TypeVar("Function", bound=Callable[..., Any])


class RequestState:
    """The replica and the writes of a request, of an outermost `use_replica()`, or of a thread outside of both."""

    def __init__(self, alias: str | None = None) -> None:
        #: `None` for a thread outside of both.
        self.alias = alias
        self.has_written = False
        self._writers: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._position: WritePosition | None = None

    def note_write(self, connection: BaseDatabaseWrapper) -> None:
        """Record that this connection to the primary has sent a write."""
        self.has_written, self._position = True, None
        self._writers.add(connection)

    def note_writes_of(self, inner: RequestState) -> None:
        """Record the writes of a block inside of this one."""
        # Ask the flag, not the connections: they are garbage-collected when their thread ends.
        if inner.has_written:
            self.has_written, self._position = True, None
            self._writers |= inner._writers

    def write_position(self) -> WritePosition | None:
        """Return the position that a replica must reach to show all writes, or `None` without a write."""
        if self._position is not None or not self.has_written:
            return self._position
        found = current_position()
        # Cache the position only when no writer is in a transaction: another thread may still commit.
        if not any(connection.in_atomic_block for connection in set(self._writers)):
            self._position = found
        return found


class _Reading(NamedTuple):
    state: RequestState
    from_replica: bool


_now: ContextVar[_Reading | None] = ContextVar("replica_reading", default=None)


def alias_for_read() -> str:
    """Return the alias that a read goes to now."""
    now = _now.get()
    if now is None or not now.from_replica or now.state.has_written:
        return DEFAULT_DB_ALIAS
    return now.state.alias or DEFAULT_DB_ALIAS


def current_state() -> RequestState:
    """Return the state of the current request or block, or else the state of this thread or task."""
    now = _now.get()
    if now is None:
        now = _Reading(RequestState(), from_replica=False)
        _now.set(now)
    return now.state


class reading:
    """A block whose reads go to a replica or to the primary.

    Works with `with` and `async with`, and as a decorator of functions and coroutine functions.
    """

    def __init__(self, *, from_replica: bool, state: RequestState | None = None) -> None:
        self._from_replica = from_replica
        self._given = state
        self._tokens: list[tuple[Token[_Reading | None], RequestState | None, RequestState]] = []

    def __enter__(self) -> RequestState:
        outer = current_state()
        return self._begin(self._choose(outer), outer)

    async def __aenter__(self) -> RequestState:
        outer = current_state()
        return self._begin(await sync_to_async(self._choose)(outer), outer)

    def __exit__(self, *exception: object) -> None:
        token, outer, state = self._tokens.pop()
        _now.reset(token)
        if outer is not None:
            outer.note_writes_of(state)

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__(*exception)

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # The body of a generator would run after the block has ended.
            raise TypeError("use_primary() and use_replica() cannot decorate a generator: put the `with` inside it.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                async with reading(from_replica=self._from_replica):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with reading(from_replica=self._from_replica):
                    return function(*args, **kwargs)

        return cast(Function, wrapper)

    def _choose(self, outer: RequestState) -> RequestState:
        if self._given is not None:
            return self._given
        if not self._from_replica or outer.alias is not None:
            # A request keeps its replica, or the primary if no replica could answer it.
            return outer
        return RequestState(choose_replica(outer.write_position()))

    def _begin(self, state: RequestState, outer: RequestState) -> RequestState:
        token = _now.set(_Reading(state, self._from_replica))
        is_inner = state is not outer and self._given is None
        self._tokens.append((token, outer if is_inner else None, state))
        return state


def use_primary() -> reading:
    """Return a block (or decorator) within which reads go to the primary."""
    return reading(from_replica=False)


def use_replica() -> reading:
    """Return a block (or decorator) within which reads go to a replica. Coroutines need `async with`.

    As in requests, reads go to the primary if no replica may answer, inside a transaction, and after a write. A replica
    may not answer either until it has everything that this thread or task wrote earlier.
    """
    return reading(from_replica=True)
