"""Lets each request read from a replica, and keeps a visitor on the primary for a while after a write of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from .health import pick
from .pinning import Scope, reading_from

COOKIE = "read_primary"


@sync_and_async_middleware
def replica_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Choose one replica per request. Stands before whatever reads or writes the database."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            with reading_from(await sync_to_async(choose)(request)) as scope:
                return pin(await get_response(request), scope)

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        with reading_from(choose(request)) as scope:
            return pin(get_response(request), scope)

    return respond


def choose(request: HttpRequest) -> str:
    """Return the alias that the request's reads go to."""
    pinned = request.get_signed_cookie(COOKIE, default=None, max_age=settings.REPLICA_PIN_SECONDS)
    return pick() if pinned is None else DEFAULT_DB_ALIAS


def pin(response: HttpResponseBase, scope: Scope) -> HttpResponseBase:
    """Return the response, with a pin where the request has written: its next read may reach a replica too early.

    The pin is a signed cookie: a client can neither make one nor keep one for longer than `REPLICA_PIN_SECONDS`.
    """
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
