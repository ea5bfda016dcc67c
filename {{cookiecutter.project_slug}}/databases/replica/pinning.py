"""Where reads go now: to the primary, unless a request or `use_replica()` was given a replica and nothing was written.

Outside of requests, in commands and tasks, reads go to the primary: those write more often than they read twice.
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

from .health import pick
from .positions import Mark, mark

Function = TypeVar("Function", bound=Callable[..., Any])


class Work:
    """A request, an outermost `use_replica()`, or what a thread does outside of both: its replica, and its writes."""

    def __init__(self, alias: str | None = None) -> None:
        #: `None` outside, where no replica was asked for.
        self.alias = alias
        self.has_written = False
        self._writers: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._mark: Mark | None = None

    def note_write(self, connection: BaseDatabaseWrapper) -> None:
        """Note that this connection to the primary has sent a write."""
        self.has_written, self._mark = True, None
        self._writers.add(connection)

    def note_writes_of(self, inner: Work) -> None:
        """Note what a block inside this work has written."""
        # Not by its connections: those of a thread that has ended are gone.
        if inner.has_written:
            self.has_written, self._mark = True, None
            self._writers |= inner._writers

    def mark(self) -> Mark | None:
        """Return the mark that a replica must have reached to show all that was written; `None` if nothing was."""
        if self._mark is not None or not self.has_written:
            return self._mark
        found = mark()
        # Another thread that shares this work may yet commit: then the next one to ask must not be told of today.
        if not any(connection.in_atomic_block for connection in set(self._writers)):
            self._mark = found
        return found


class _Reading(NamedTuple):
    work: Work
    from_replica: bool


_now: ContextVar[_Reading | None] = ContextVar("replica_reading", default=None)


def read_alias() -> str:
    """Return the alias that a read goes to now."""
    now = _now.get()
    if now is None or not now.from_replica or now.work.has_written:
        return DEFAULT_DB_ALIAS
    return now.work.alias or DEFAULT_DB_ALIAS


def current_work() -> Work:
    """Return the work that is being done; outside of requests and blocks, that of this thread or task."""
    now = _now.get()
    if now is None:
        now = _Reading(Work(), from_replica=False)
        _now.set(now)
    return now.work


class reading:
    """Reads of one piece of work, within the block, from its replica or from the primary.

    May be entered by `with` and `async with`, and be a decorator of functions and coroutine functions.
    """

    def __init__(self, *, from_replica: bool, work: Work | None = None) -> None:
        self._from_replica = from_replica
        self._given = work
        self._tokens: list[tuple[Token[_Reading | None], Work | None, Work]] = []

    def __enter__(self) -> Work:
        outer = current_work()
        return self._begin(self._choose(outer), outer)

    async def __aenter__(self) -> Work:
        outer = current_work()
        return self._begin(await sync_to_async(self._choose)(outer), outer)

    def __exit__(self, *exception: object) -> None:
        token, outer, work = self._tokens.pop()
        _now.reset(token)
        if outer is not None:
            outer.note_writes_of(work)

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__(*exception)

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # Its body would run after the decorator had left the block again.
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

    def _choose(self, outer: Work) -> Work:
        if self._given is not None:
            return self._given
        if not self._from_replica or outer.alias is not None:
            # A request keeps the replica that it was given, or the primary if there was none for it.
            return outer
        return Work(pick(outer.mark()))

    def _begin(self, work: Work, outer: Work) -> Work:
        token = _now.set(_Reading(work, self._from_replica))
        is_inner = work is not outer and self._given is None
        self._tokens.append((token, outer if is_inner else None, work))
        return work


def use_primary() -> reading:
    """Return a block (or decorator) within which reads go to the primary."""
    return reading(from_replica=False)


def use_replica() -> reading:
    """Return a block (or decorator) within which reads go to a replica, in coroutines by `async with`.

    To the primary where none may answer, inside a transaction, and after a write in the block: the rules of requests.
    A replica may not answer, either, before it has what this thread or task wrote earlier.
    """
    return reading(from_replica=True)
