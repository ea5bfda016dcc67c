"""What log lines show, and what they make of hostile text."""

from __future__ import annotations

import json
import logging
import re
import sys
from unittest import mock

import django
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import path

from databases.error_reports import without_passwords
from databases.logs import MailHandler, RequestIdFilter, log_settings
from databases.tests import production
from databases.tests.log_lines import console_of

logger = logging.getLogger("databases.tests.logs")
ADDRESS = "admin@example.com"
HOSTILE = "one\n2026-01-01T00:00:00.000Z ERROR root [-] fake\r\x1b[31m\x85two\u2028three postgresql://ann:s3cret@db/x"
#: Makes a logger before the settings do, and records of pages, the last one while `DEBUG` is on.
RECORDS = """
import json, logging
early = logging.getLogger("early")
import django
django.setup()
from django.conf import settings
from databases.logs import MailHandler
settings.ADMINS, mails = ["ann@example.com"], []
MailHandler.send_mail = lambda self, subject, *words, **options: mails.append(subject)
pages = logging.getLogger("django.request")
early.info("early")
pages.warning("page")
pages.error("page")
settings.DEBUG = True
pages.error("page")
print(json.dumps(mails))
"""
LEVELS = ["INFO", "WARNING", "ERROR", "ERROR"]


def page(request: HttpRequest) -> HttpResponse:
    logger.info("inside")
    return HttpResponse()


async def async_page(request: HttpRequest) -> HttpResponse:
    return page(request)


urlpatterns = [path("page/", page), path("async-page/", async_page)]


class LineTests(SimpleTestCase):
    def written(self, style: str) -> str:
        """Return what is written of a hostile record."""
        handler, lines = console_of(style)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            record = logger.makeRecord("name", logging.INFO, "", 0, "%s", (HOSTILE,), sys.exc_info())
        # As another handler leaves it.
        record.exc_text = logging.Formatter().formatException(record.exc_info)
        handler.handle(record)
        return lines.getvalue()

    def test_text_shows_time_level_logger_request_and_message(self):
        self.assertRegex(
            self.written("text"), r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO name \[-\] one\\x0a2026-01-01T"
        )

    def test_nothing_in_a_message_or_an_exception_begins_a_line_of_text(self):
        first, *more = self.written("text").splitlines()
        self.assertNotIn("\x1b", first)
        self.assertNotIn("s3cret", first)
        self.assertTrue(more)
        for line in more:
            self.assertTrue(line.startswith("    "), line)
            self.assertNotIn("s3cret", line)
            self.assertTrue(line.isprintable(), line)

    def test_json_is_one_object_in_one_line(self):
        (line,) = self.written("json").splitlines()
        found = json.loads(line)
        self.assertEqual([*found], ["time", "level", "logger", "request_id", "message", "exception"])
        self.assertEqual((found["level"], found["logger"]), ("INFO", "name"))
        self.assertEqual(found["message"], without_passwords(HOSTILE))
        self.assertNotIn("s3cret", line)
        self.assertIn("ValueError: one\n", found["exception"])

    def test_another_format_is_refused(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "LOG_FORMAT must be one of: text, json; it is 'xml'."):
            log_settings("xml")

    def test_each_record_is_one_line_and_errors_of_pages_in_production_are_mailed(self):
        process = production.python("-c", RECORDS)
        self.assertEqual(re.findall(r"(?m)^\S+ ([A-Z]+) \S+ .*(?:early|page)$", process.stderr), LEVELS, process.stderr)
        self.assertEqual(json.loads(process.stdout), ["ERROR: page"])


@override_settings(ADMINS=[ADDRESS if django.VERSION >= (6, 0) else ("", ADDRESS)])
class MailTests(SimpleTestCase):
    def handle(self, status: int = 500) -> None:
        self.handler.handle(logging.makeLogRecord({"msg": "page", "levelno": logging.ERROR, "status_code": status}))

    def setUp(self):
        self.handler = MailHandler()

    def test_an_error_is_mailed_and_a_503_is_not(self):
        self.handle(503)
        self.assertEqual(mail.outbox, [])
        self.handle()
        self.assertEqual(mail.outbox[0].to, [ADDRESS])

    def test_a_mail_server_that_is_down_is_asked_once_and_costs_no_request_its_response(self):
        down = mock.patch("django.core.mail.mail_admins", side_effect=TimeoutError)
        with down as asked, self.assertLogs("databases.logs") as logs:
            self.handle()
            self.handle()
        asked.assert_called_once()
        self.assertIn("(TimeoutError)", logs.output[0])
        with mock.patch("databases.logs.MAIL_PAUSE_SECONDS", 0), down, self.assertLogs("databases.logs"):
            self.handler.paused_until = 0
            self.handle()
        self.handle()
        self.assertEqual(len(mail.outbox), 1)


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=["databases.logs.middleware"], ALLOWED_HOSTS=["*"])
class RequestIdTests(SimpleTestCase):
    def test_a_valid_id_is_kept_and_any_other_is_replaced(self):
        for given in ("a-1.b:c=d/e+f_", "x" * 128):
            self.assertEqual(self.client.get("/page/", headers={"X-Request-ID": given}).headers["X-Request-ID"], given)
        for given in ("", "x" * 129, "a b", "a\n", 'a"', "é", "<b>"):
            made = self.client.get("/page/", headers={"X-Request-ID": given}).headers["X-Request-ID"]
            self.assertRegex(made, r"\A[0-9a-f]{32}\Z")

    def test_lines_inside_and_after_the_request_have_its_id(self):
        with self.assertLogs(level="INFO") as logs:
            logging.getLogger().handlers[0].addFilter(RequestIdFilter())
            for path in ("/page/", "/async-page/", "/missing/"):
                self.client.get(path, headers={"X-Request-ID": path})
            logger.info("outside")
        self.assertEqual([record.request_id for record in logs.records], ["/page/", "/async-page/", "/missing/", "-"])

    # Twice: each must see that the next one is asynchronous.
    @override_settings(MIDDLEWARE=["databases.logs.middleware"] * 2)
    async def test_each_task_has_its_own_id(self):
        for number in "12":
            response = await self.async_client.get("/async-page/", headers={"X-Request-ID": number})
            self.assertEqual(response.headers["X-Request-ID"], number)
