"""Lets safe requests read from a replica that has everything that their visitor has written and seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from databases.availability import unavailable_database
from databases.replicas import watch
from databases.replicas.choice import name_of
from databases.replicas.positions import Mark, mark_now
from databases.replicas.reading import Work, current_work, reading
from databases.replicas.visits import COOKIE_SECONDS, remember, visit_of

#: The methods that change nothing. Source: RFC 9110, 9.2.1.
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


class ReplicaMiddleware:
    """Chooses one replica per request, at its first read. Put this before any middleware that queries the database.

    Other methods than `SAFE` read the primary from their first query: what a form saves must not be old.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self._respond(request)
        with reading(from_replica=request.method in SAFE, work=Work(visit_of(request))) as work:
            response = self.get_response(request)
        _remember(response, work)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        with reading(from_replica=request.method in SAFE, work=Work(visit_of(request))) as work:
            response: HttpResponseBase = await self.get_response(request)
        if work.has_written or work.has_read_primary:
            # It may ask the primary.
            await sync_to_async(_remember)(response, work)
        else:
            _remember(response, work)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Call the view again, on the primary, if its replica is down or canceled the query to catch up."""
        alias, work, match = unavailable_database(exception), current_work(), request.resolver_match
        if (
            not watch.is_replica(alias)
            or not work
            or not match
            or work.has_written_anywhere
            or request.method not in SAFE
        ):
            return None
        work.alias = DEFAULT_DB_ALIAS
        view: Any = async_to_sync(match.func) if iscoroutinefunction(match.func) else match.func
        response: Any = view(request, *match.args, **match.kwargs)
        # What a lazy response renders would be queried outside of this method.
        return cast(HttpResponseBase, response.render() if hasattr(response, "render") else response)


def _remember(response: HttpResponseBase, work: Work) -> None:
    """Give the visitor a cookie, if the next page must know what this one wrote or read."""
    if not watch.aliases() or connections[DEFAULT_DB_ALIAS].in_atomic_block:
        # In a transaction around requests, that of a TestCase, nothing that they write is there for anybody else.
        return
    # A public page is the same for everybody.
    is_monotonic = settings.REPLICA_MONOTONIC_READS and "public" not in response.get("Cache-Control", "")
    visit = work.visit
    if all(map(watch.is_primary_itself, watch.aliases())):
        # In development and tests, nothing can be older, and no query need ask how old it is.
        if work.has_written:
            remember(response, visit, Mark(0, None, time.time()))
    elif work.has_written or (is_monotonic and work.has_read_primary):
        remember(response, visit, mark_now())
    # With one replica, all that is left is the primary, which is newer.
    elif is_monotonic and len(watch.aliases()) > 1:
        home = name_of(work.alias) if watch.is_replica(work.alias) else ""
        is_old = time.time() - visit.made_at > COOKIE_SECONDS / 2
        if home and (is_old or visit.homes != {home}):
            remember(response, visit, visit.mark, home)
