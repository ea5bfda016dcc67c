"""Chooses a replica for each request, one that has everything that its visitor has written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from databases.replicas.health import choose_replica
from databases.replicas.pinning import RequestState, reading
from databases.replicas.positions import WritePosition

COOKIE = "last_write"
#: Seconds for which the cookie keeps a visitor's last write: far longer than a replica may lag before it is skipped.
COOKIE_SECONDS = 3600


@sync_and_async_middleware
def replica_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Choose one replica per request. Put this before any middleware that queries the database."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            state = await sync_to_async(state_for)(request)
            with reading(from_replica=True, state=state):
                response = await get_response(request)
            return await sync_to_async(remember)(response, state) if state.has_written else response

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        state = state_for(request)
        with reading(from_replica=True, state=state):
            response = get_response(request)
        return remember(response, state) if state.has_written else response

    return respond


def state_for(request: HttpRequest) -> RequestState:
    """Return the state of a request, with a replica that may answer its visitor."""
    return RequestState(choose_replica(last_write(request)))


def last_write(request: HttpRequest) -> WritePosition | None:
    """Return the write in the visitor's cookie, or `None`. The cookie is signed, so a client cannot forge it."""
    text = request.get_signed_cookie(COOKIE, default=None, max_age=COOKIE_SECONDS)
    if text is None:
        return None
    at, _, position = text.partition("/")
    return WritePosition(int(position, 16) if position else None, float(at))


def remember(response: HttpResponseBase, state: RequestState) -> HttpResponseBase:
    """Return the response with a cookie that keeps the request's last write for its visitor's next requests."""
    write = state.write_position()
    if write is not None:
        position = "" if write.position is None else f"{write.position:x}"
        response.set_signed_cookie(
            COOKIE,
            f"{write.at}/{position}",
            max_age=COOKIE_SECONDS,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response
