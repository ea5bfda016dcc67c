"""Error reports hide passwords: the page that DEBUG shows, and the mail to admins."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.db import DatabaseError, connections
from django.http import HttpRequest
from django.test import RequestFactory, SimpleTestCase, TestCase, override_settings
from django.utils.log import AdminEmailHandler
from django.views.debug import get_exception_reporter_class

from databases.error_reports import without_passwords
from databases.secret import Secret

PASSWORD = "hunter2-of-the-server"  # noqa: S105
OTHER = "hunter2-of-another-kind"
ODD = ("", "p@s:", "%40%2F", " ", "'\"", "#?", "12#", "é☃", ",", "[", "<&>", "\\", "1:", "$&\\1", "pa/ss@")
URLS = [f"postgresql://ann:{odd}hunter2{odd}@one.example.com:5432/app?x=y" for odd in ODD]
#: Django shows the first 4096 characters of a text, and pprint breaks long ones at spaces.
LONG = f"{'x' * 4071}{URLS[0]}", f"postgresql://ann:{'many ' * 20}{PASSWORD} words@one.example.com/app"


class Client:
    """An object that shows its URL."""

    def __repr__(self) -> str:
        return f"<Client {URLS[0]}>"


class Handler(AdminEmailHandler):
    """Keeps the mails to admins."""

    def __init__(self) -> None:
        super().__init__(include_html=True)
        self.mails = ""

    def send_mail(self, subject: str, message: str, *args: Any, **kwargs: Any) -> None:
        self.mails += message + kwargs["html_message"]


def report(request: HttpRequest | None = None) -> str:
    """Return the pages and the mail about the current exception."""
    request = request or RequestFactory().get("/")
    reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
    record = {"levelname": "ERROR", "msg": "A page failed", "exc_info": sys.exc_info(), "request": request}
    handler = Handler()
    handler.emit(logging.makeLogRecord(record))
    return reporter.get_traceback_html() + reporter.get_traceback_text() + handler.mails


class ReportTests(TestCase):
    def test_a_connection_that_fails_shows_no_password(self):
        connection = connections["default"].copy()
        connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1", "USER": "ann"}
        # Drivers escape the quote in their connection strings.
        connection.settings_dict["PASSWORD"] = f"it's {PASSWORD}"
        if connection.vendor == "sqlite":
            # No file can be in here: this is no folder.
            connection.settings_dict["NAME"] = f"{__file__}/db.sqlite3"
        try:
            connection.ensure_connection()
        except DatabaseError:
            text = report()
        self.assertIn("get_new_connection", text)
        self.assertNotIn(PASSWORD, text)

    def test_passwords_are_hidden_and_the_rest_is_shown(self):
        try:
            config, password, place = {"PASSWORD": PASSWORD, "OPTIONS": {"passwd": OTHER}}, PASSWORD, "at home"
            several = [
                config,
                ({"PASSWORD": OTHER},),
                f"host=one password='{OTHER}'",
                f"mysql://one/x?password={OTHER}",
            ]
            raise ValueError(len(config) + len(password) + len(place) + len(several))
        except ValueError:
            text = report()
        self.assertNotIn(OTHER, text)
        # The page shows this test's own line of code too, but no value is in it.
        self.assertNotIn(PASSWORD, text)
        self.assertIn("at home", text)


class UrlTests(SimpleTestCase):
    def assert_hidden(self, request: HttpRequest | None = None, shown: str = "one.example.com") -> None:
        """Check what is reported of the current exception: not the passwords, but the servers."""
        text = report(request)
        self.assertNotIn("hunter2", text)
        self.assertIn(f"postgresql://ann:********************@{shown}", text)

    def test_only_the_password_is_replaced(self):
        stars = "postgresql://ann:********************@one.example.com:5432/app?x=y"
        for url in URLS:
            with self.subTest(url):
                self.assertEqual(without_passwords(url), stars)
        self.assertEqual(without_passwords(",".join(URLS)), ",".join([stars] * len(URLS)))
        self.assertEqual(without_passwords(f"{URLS[0]}\nann@example.com"), f"{stars}\nann@example.com")
        self.assertEqual(without_passwords("redis://:hunter2@one"), "redis://:********************@one")

    def test_what_is_no_password_is_shown(self):
        for text in (
            "http://localhost:8000/users/?email=ann@example.com",
            "http://[::1]:8000/users/ann@example.com",
            "https://example.com/@ann",
            "postgresql://ann@one.example.com/app",
            "sqlite:///app.sqlite3 ann: ann@example.com",
            "http://localhost:8000\nann@example.com",
        ):
            with self.subTest(text):
                self.assertEqual(without_passwords(text), text)

    def test_the_environment_in_a_request_is_shown_without_passwords(self):
        for url in URLS:
            environment = {"SOME_DATABASE_URL": url, "SERVERS": f"{url},{url.replace('one', 'two')}"}
            with self.subTest(url):
                try:
                    raise ValueError
                except ValueError:
                    self.assert_hidden(RequestFactory().get("/", **environment), shown="two.example.com")

    def test_settings_and_cookies_are_shown_without_passwords(self):
        request = RequestFactory().get("/")
        request.COOKIES["place"] = URLS[1]
        with override_settings(BROKER=URLS[2], BROKERS=[{"place": URLS}], PLACES={URLS[0]}, PLACE=Secret(OTHER)):
            try:
                raise ValueError
            except ValueError:
                self.assert_hidden(request)

    def test_variables_of_every_kind_are_shown_without_passwords(self):
        try:
            text, several, nested, client, long, wrapped = URLS[0], URLS, {"a": [(URLS[1],)]}, Client(), *LONG
            raise ValueError(len([text, several, nested, client, long, wrapped]))
        except ValueError:
            self.assert_hidden()

    def test_the_texts_of_exceptions_are_shown_without_passwords(self):
        try:
            try:
                raise LookupError(URLS[1])
            except LookupError as error:
                raise ValueError(f"not connected: {URLS[0]}") from error
        except ValueError:
            self.assert_hidden()
