"""Where reads go now: to a replica in safe requests and `use_replica()` until they write, else to the primary.

Outside of requests, in commands and tasks, reads go to the primary, because most of them read in order to write.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, TypeVar, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import DEFAULT_DB_ALIAS, connections
from django.template.response import SimpleTemplateResponse

from databases.replicas.choice import choose, is_in_event_loop
from databases.replicas.positions import mark_now
from databases.replicas.visits import Visit

Function = TypeVar("Function", bound=Callable[..., Any])


class Work:
    """A request, or an outermost block outside of requests: one replica, chosen at the first read, and what it did."""

    def __init__(self, visit: Visit | None = None) -> None:
        """Begin it. Argument: what its visitor has seen; `None` outside of requests."""
        self.is_request = visit is not None
        self.visit = visit or Visit()
        self.alias: str | None = None
        self.has_written = False
        #: Whether it wrote to any database, so that it must not run again.
        self.has_written_anywhere = False
        #: Whether it read from the primary what replicas have too.
        self.has_read_primary = False

    def replica(self) -> str:
        """Return the alias of its replica, or of the primary if none may answer."""
        if self.alias is None and self.is_request:
            self.alias = choose(self.visit.mark, self.visit.homes)
        elif self.alias is None and not is_in_event_loop():
            # The sender of a task, and code before this block, have committed by now.
            self.alias = choose(mark_now(at=_wrote_at.get()), patient=True)
        return self.alias or DEFAULT_DB_ALIAS


class _Now(NamedTuple):
    work: Work
    from_replica: bool


_now: ContextVar[_Now | None] = ContextVar("replica_reading", default=None)
#: When this context last wrote outside of a request.
_wrote_at: ContextVar[float] = ContextVar("replica_wrote_at", default=0.0)


def alias_for_read(*, from_primary: bool = False) -> str | None:
    """Return the alias of the replica that a read goes to now, or `None` for the primary.

    Argument `from_primary`: whether the read belongs to an object that was read there.
    """
    now = _now.get()
    if now is None:
        return None
    # In a transaction every read stays on the primary. In a TestCase, connecting to the replica may even be an error.
    if now.from_replica and not (from_primary or now.work.has_written or connections[DEFAULT_DB_ALIAS].in_atomic_block):
        alias = now.work.replica()
        if alias != DEFAULT_DB_ALIAS:
            return alias
    now.work.has_read_primary = True
    return None


def current_work() -> Work | None:
    """Return the request or block that this code is part of."""
    now = _now.get()
    return now and now.work


def note_write(alias: str) -> None:
    """Record that this code has sent a write to a database."""
    now = _now.get()
    if now:
        now.work.has_written_anywhere = True
    if alias == DEFAULT_DB_ALIAS:
        _wrote_at.set(time.time())
        if now:
            now.work.has_written = True


class reading:
    """A block whose reads go to a replica or to the primary: with `with`, `async with`, or as a decorator."""

    def __init__(self, *, from_replica: bool, work: Work | None = None) -> None:
        self._from_replica = from_replica
        self._work = work
        self._tokens: list[Token[_Now | None]] = []

    def __enter__(self) -> Work:
        # A request keeps its replica in all its blocks, or the primary if no replica could answer it.
        work = self._work or current_work() or Work()
        self._tokens.append(_now.set(_Now(work, self._from_replica)))
        return work

    def __exit__(self, *exception: object) -> None:
        _now.reset(self._tokens.pop())

    async def __aenter__(self) -> Work:
        return self.__enter__()

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__()

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # The body of a generator runs after the block has ended, and its own block would reach its consumer.
            raise TypeError(
                "use_primary() and use_replica() cannot decorate a generator: read the rows in a block inside it, and "
                "yield them after the block."
            )

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            # Each call has a separate block.
            with reading(from_replica=self._from_replica):
                result = function(*args, **kwargs)
                if not inspect.iscoroutine(result):
                    return result.render() if _is_lazy(result) else result
            return self._awaited(result)

        return cast(Function, markcoroutinefunction(wrapper) if iscoroutinefunction(function) else wrapper)

    async def _awaited(self, result: Coroutine[Any, Any, Any]) -> Any:
        with reading(from_replica=self._from_replica):
            found = await result
            return await sync_to_async(found.render)() if _is_lazy(found) else found


def _is_lazy(result: Any) -> bool:
    """Return whether a view's response is rendered later, with its queries, when the block has ended."""
    return isinstance(result, SimpleTemplateResponse) and not result.is_rendered


def use_primary() -> reading:
    """Return a block (or decorator) within which reads go to the primary."""
    return reading(from_replica=False)


def use_replica() -> reading:
    """Return a block (or decorator) within which reads go to a replica.

    As in requests, reads go to the primary if no replica may answer, inside a transaction, and after a write. Outside
    of requests the replica must show all that was committed before the first read; for that the block waits for up to
    `REPLICA_ANSWER_SECONDS`.
    """
    return reading(from_replica=True)
