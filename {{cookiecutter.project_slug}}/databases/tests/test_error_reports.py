"""Error reports hide passwords of databases: the page that DEBUG shows, and the mail to admins."""

import sys

from django.db import DatabaseError, connections
from django.test import RequestFactory, TestCase
from django.views.debug import ExceptionReporter

PASSWORD = "hunter2-of-the-server"  # noqa: S105
OTHER = "hunter2-of-another-kind"


def report() -> str:
    """Return the page and the text about the current exception."""
    reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
    return reporter.get_traceback_html() + reporter.get_traceback_text()


class ReportTests(TestCase):
    def test_a_connection_that_fails_shows_no_password(self):
        connection = connections["default"].copy()
        connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1", "USER": "ann", "PASSWORD": PASSWORD}
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
            raise ValueError(len(config) + len(password) + len(place))
        except ValueError:
            text = report()
        self.assertNotIn(OTHER, text)
        # The page shows this test's own line of code too, but no value is in it.
        self.assertNotIn(PASSWORD, text)
        self.assertIn("at home", text)
