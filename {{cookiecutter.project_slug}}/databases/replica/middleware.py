"""Lets each request read from a replica, and keeps a visitor on the primary for a while after a write of theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .health import pick
from .pinning import Scope, reading_from

COOKIE = "read_primary"


class ReplicaMiddleware:
    """Chooses one replica per request. Stands before whatever reads or writes the database.

    The pin is a signed cookie: a client can neither make one nor keep one for longer than `REPLICA_PIN_SECONDS`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._respond_async(request)
        with reading_from(choose(request)) as scope:
            return pin(self.get_response(request), scope)

    async def _respond_async(self, request: HttpRequest) -> HttpResponseBase:
        with reading_from(await sync_to_async(choose)(request)) as scope:
            return pin(await self.get_response(request), scope)


def choose(request: HttpRequest) -> str:
    """Return the alias that the request's reads go to."""
    pinned = request.get_signed_cookie(COOKIE, default=None, max_age=settings.REPLICA_PIN_SECONDS)
    return pick() if pinned is None else DEFAULT_DB_ALIAS


def pin(response: HttpResponseBase, scope: Scope) -> HttpResponseBase:
    """Return the response, with the pin where the request has written: its next read may reach a replica too early."""
    if scope.wrote:
        response.set_signed_cookie(
            COOKIE,
            "1",
            max_age=settings.REPLICA_PIN_SECONDS,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response
