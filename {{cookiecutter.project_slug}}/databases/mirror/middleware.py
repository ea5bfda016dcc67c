"""Answers 503 where a page needs the mirror and the mirror cannot be asked. Other pages never notice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from ..outage import database_that_is_away
from .router import MIRROR

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10


class MirrorDownMiddleware:
    """Turns an outage of the mirror into a 503; its other errors, and those of other databases, stay what they are.

    It sees what views and the rendering of their templates raise. It does not see other middleware, nor a streamed
    response: its status has been sent before its parts are made.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if database_that_is_away(exception) != MIRROR:
            return None
        # The class only: a driver's message quotes the address, and some the user.
        logger.warning("A page needs the mirror, which cannot be asked (%s)", type(exception.__cause__).__name__)
        return HttpResponse(
            "This page needs data that is not available at the moment. Please try again in a little while.",
            status=503,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
