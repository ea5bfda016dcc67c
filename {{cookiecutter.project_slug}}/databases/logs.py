"""Log lines: one for each record, with the id of its request; as text, or as JSON with `LOG_FORMAT=json`.

Passwords in URLs are hidden, as in error reports.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware
from django.utils.log import AdminEmailHandler

from databases.error_reports import without_passwords

HEADER = "X-Request-ID"
#: What another id than ours may be. It ends up in logs and in the response.
VALID_ID = re.compile(r"[A-Za-z0-9._:=+/-]{1,128}")
#: Characters that would end a line, or that a terminal obeys.
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
ESCAPES |= {ord(end): rf"\u{ord(end):x}" for end in "\u2028\u2029"}

#: How long no mail is tried after one that could not be sent.
MAIL_PAUSE_SECONDS = 60

logger = logging.getLogger(__name__)
_request_id: ContextVar[str] = ContextVar("request_id", default="")


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each request an id, for its log lines and its response: that of `X-Request-ID`, or a new one."""
    if not iscoroutinefunction(get_response):

        def respond(request: HttpRequest) -> Any:
            with current_id(id_of(request)) as request_id:
                response = get_response(request)
            response[HEADER] = request_id
            return response

        return respond

    async def respond_async(request: HttpRequest) -> Any:
        with current_id(id_of(request)) as request_id:
            response = await get_response(request)
        response[HEADER] = request_id
        return response

    return respond_async


@contextmanager
def current_id(request_id: str) -> Iterator[str]:
    """Within the block, log lines have this id."""
    token = _request_id.set(request_id)
    try:
        yield request_id
    finally:
        _request_id.reset(token)


def id_of(request: HttpRequest) -> str:
    """Return the id that a proxy gave to a request, if it is valid, or a new one. Keeps it in the request."""
    given = request.headers.get(HEADER, "")
    request.request_id = given if VALID_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
    return str(request.request_id)  # type: ignore[attr-defined]


class RequestIdFilter(logging.Filter):
    """Adds `record.request_id`: the id of the current request, or `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs the status of a response after the middleware, with its request.
        request = getattr(record, "request", None)
        record.request_id = _request_id.get() or getattr(request, "request_id", "-")
        return True


class TextFormatter(logging.Formatter):
    """Writes time, level, logger, fields and message. Only the first line of a record begins without spaces.

    Argument: the names of the fields, which filters have added to the records.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        shown = " ".join(f"[%({field})s]" for field in fields)
        super().__init__(f"%(asctime)s %(levelname)s %(name)s {shown} %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(ESCAPES)

    def format(self, record: logging.LogRecord) -> str:
        # Without this, a line in the text of an exception could pass for a record.
        first, *traceback = without_passwords(super().format(record)).split("\n")
        return "\n    ".join([first, *(line.translate(ESCAPES) for line in traceback)])


class JsonFormatter(TextFormatter):
    """Writes the same, and the traceback, as one JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name}
        line |= {field: getattr(record, field) for field in self.fields}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps({name: without_passwords(str(text)) for name, text in line.items()})


class MailHandler(AdminEmailHandler):
    """Mails errors to `ADMINS`. A mail server that is down costs no request its response or its line in the log.

    A 503 is not mailed: the code chose it, and in an outage each request gets one.
    """

    paused_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if not settings.ADMINS or getattr(record, "status_code", 0) == 503 or time.monotonic() < self.paused_until:
            return
        try:
            super().emit(record)
        except Exception as error:
            # Others wait for this handler meanwhile. They must not wait for the mail server one after the other.
            self.paused_until = time.monotonic() + MAIL_PAUSE_SECONDS
            logger.warning(
                "No error is mailed for %d seconds, because the last mail failed (%s): check EMAIL_URL",
                MAIL_PAUSE_SECONDS,
                type(error).__name__,
            )

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        # Django 5.2 would hide errors here, so each request would wait for a server that hangs.
        mail.mail_admins(*args, **kwargs)


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}


def log_settings(style: str, **filters: str) -> dict[str, Any]:
    """Return `LOGGING`: all records go to the standard error stream, and errors of pages by mail to `ADMINS`.

    Arguments: `text` or `json`, and more fields: by name, the path of the filter that adds it to records.
    Raises `ImproperlyConfigured` for another style.
    """
    if style not in FORMATTERS:
        raise ImproperlyConfigured(f"LOG_FORMAT must be one of: {', '.join(FORMATTERS)}; it is {style!r}.")
    fields = {"request_id": "databases.logs.RequestIdFilter", **filters}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            **{field: {"()": path} for field, path in fields.items()},
            "debug_is_off": {"()": "django.utils.log.RequireDebugFalse"},
        },
        "formatters": {"line": {"()": FORMATTERS[style], "fields": [*fields]}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "filters": [*fields], "formatter": "line"},
            "mail": {"class": "databases.logs.MailHandler", "level": "ERROR", "filters": ["debug_is_off"]},
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        # Without Django's own handler for the console, which would write each line a second time.
        "loggers": {"django": {"handlers": ["mail"], "level": "INFO"}},
    }
