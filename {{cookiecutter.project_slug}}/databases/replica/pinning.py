"""Where reads go now: to the primary, unless a request or `use_replica()` has chosen a replica and nothing was written.

Outside of requests, in commands and tasks, reads go to the primary: those write more often than they read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .health import pick

READS = ("SELECT", "EXPLAIN", "SHOW", "SET", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


@dataclass
class Scope:
    """One stretch of work: the alias that its reads go to, and whether it has written to the primary."""

    alias: str
    wrote: bool = False


_scope: ContextVar[Scope | None] = ContextVar("replica_scope", default=None)


def read_alias() -> str:
    """Return the alias that a read goes to now."""
    scope = _scope.get()
    return DEFAULT_DB_ALIAS if scope is None or scope.wrote else scope.alias


@contextmanager
def reading_from(alias: str) -> Iterator[Scope]:
    """Send reads to `alias` inside the block, until something is written; yield the scope, which knows if it was."""
    outer = _scope.get()
    scope = Scope(alias)
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)
        if outer is not None and scope.wrote:
            # A write in an inner block is one that the outer block must be able to read as well.
            outer.wrote = True


def use_primary() -> Any:
    """Return a context manager (or decorator of a sync function) inside which reads go to the primary."""
    return reading_from(DEFAULT_DB_ALIAS)


def use_replica() -> Any:
    """Return a context manager (or decorator of a sync function) inside which reads go to a healthy replica.

    To the primary where none is healthy, inside a transaction, and after a write in the block: the rules of requests.
    """
    return _using_replica()


@contextmanager
def _using_replica() -> Iterator[Scope]:
    outer = _scope.get()
    with reading_from(DEFAULT_DB_ALIAS if outer is not None and outer.wrote else pick()) as scope:
        yield scope


def install() -> None:
    """Notice every write on the primary, in every connection made from now on."""
    connection_created.connect(_watch, dispatch_uid="databases.replica.pinning")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias == DEFAULT_DB_ALIAS and _notice_write not in connection.execute_wrappers:
        connection.execute_wrappers.append(_notice_write)


def _notice_write(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    # Seen at the connection, not guessed from the request's method; what is no plain read counts as a write.
    scope = _scope.get()
    if scope is not None and not str(sql).lstrip().upper().startswith(READS):
        scope.wrote = True
    return execute(sql, params, many, context)
