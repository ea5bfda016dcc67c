"""Gives each request a replica that does not lag behind what its visitor has written before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from .health import pick
from .pinning import Work, reading
from .positions import Mark

COOKIE = "last_write"
#: For so long a visitor's last write is remembered. Longer by far than a replica may lag before it is skipped.
COOKIE_SECONDS = 3600


@sync_and_async_middleware
def replica_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Choose one replica per request. Stands before whatever reads or writes the database."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            work = await sync_to_async(work_for)(request)
            with reading(from_replica=True, work=work):
                response = await get_response(request)
            return await sync_to_async(remember)(response, work) if work.has_written else response

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        work = work_for(request)
        with reading(from_replica=True, work=work):
            response = get_response(request)
        return remember(response, work) if work.has_written else response

    return respond


def work_for(request: HttpRequest) -> Work:
    """Return the work of a request, with the replica that may answer its visitor."""
    return Work(pick(last_write(request)))


def last_write(request: HttpRequest) -> Mark | None:
    """Return the mark in the visitor's cookie, or `None`. The cookie is signed: a client cannot make one."""
    text = request.get_signed_cookie(COOKIE, default=None, max_age=COOKIE_SECONDS)
    if text is None:
        return None
    at, _, position = text.partition("/")
    return Mark(int(position, 16) if position else None, float(at))


def remember(response: HttpResponseBase, work: Work) -> HttpResponseBase:
    """Return the response with a mark of what the request has written, for its visitor's next ones."""
    mark = work.mark()
    if mark is not None:
        position = "" if mark.position is None else f"{mark.position:x}"
        response.set_signed_cookie(
            COOKIE,
            f"{mark.at}/{position}",
            max_age=COOKIE_SECONDS,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response
