"""What the page says that needs an unavailable database."""

from unittest import mock

from django.conf import settings
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, override_settings

from databases import middleware
from databases.middleware import DatabaseDownMiddleware


class ReasonTests(SimpleTestCase):
    def answer(self) -> HttpResponse | None:
        error = OperationalError("hidden")
        error.__cause__ = ConnectionError("hidden")
        alias = next(alias for alias in settings.DATABASES if alias != "default")
        with mock.patch.object(middleware, "unavailable_database", return_value=alias), self.assertLogs():
            return DatabaseDownMiddleware(HttpResponse).process_exception(RequestFactory().get("/"), error)

    def test_the_reason_is_shown_while_debug_is_on(self):
        for debug in (True, False):
            with override_settings(DEBUG=debug):
                text = self.answer().content.decode()
            self.assertEqual("is unavailable (ConnectionError): check its server" in text, debug)
            self.assertNotIn("hidden", text)
