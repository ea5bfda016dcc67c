"""Answers 503 if a page needs a database besides the primary that is unavailable. Other pages are served."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest, HttpResponse

from databases.availability import unavailable_database

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10


class DatabaseDownMiddleware:
    """Turns an outage of the mirror or of the secondary into a 503. Other errors, and outages of the primary, pass.

    It handles what views and the rendering of their templates raise. It cannot handle errors of other middleware, nor
    those of a streamed response, which has sent its status before it reads rows.
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
        alias = unavailable_database(exception)
        # Databases that are opened on demand are not listed: their role answers for them.
        if alias in (None, DEFAULT_DB_ALIAS) or settings.DATABASES.get(str(alias)) is None:
            return None
        # The class only: the driver's message contains the address, and some drivers add the user.
        cause = type(exception.__cause__).__name__
        logger.warning("A page needs %r, which is unavailable (%s)", alias, cause)
        text = "This page needs data that is not available at the moment. Please try again later."
        if settings.DEBUG:
            text += (
                f"\n\nThe database {alias!r} is unavailable ({cause}): check its server, and its entry in DATABASES."
            )
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Content-Type": "text/plain; charset=utf-8"}
        return HttpResponse(text, status=503, headers=headers)
