"""Passwords of tenants show nowhere: not in error reports, logs or reprs."""

from __future__ import annotations

import logging
import sys

from cryptography.fernet import Fernet
from django.db import DatabaseError, connections
from django.test import RequestFactory, SimpleTestCase, TestCase, override_settings
from django.views.debug import ExceptionReporter

from databases.models import Tenant
from databases.tenants import passwords

SERVERS = "hunter2-of-the-server"
OWN = "hunter2-of-the-tenant"


class ReportTests(TestCase):
    """A real attempt to connect, by the driver of the project's own engine, to where nobody listens."""

    def setUp(self):
        engine = connections["default"].settings_dict["ENGINE"]
        server = {"ENGINE": engine, "NAME": "{name}", "HOST": "127.0.0.1", "PORT": "1", "USER": "ann"}
        if engine.endswith("sqlite3"):
            server["NAME"] = "/nowhere/{name}"
        servers = override_settings(TENANT_SERVERS={"default": {**server, "PASSWORD": SERVERS}})
        servers.enable()
        self.addCleanup(servers.disable)

    def reports(self, tenant: Tenant) -> str:
        """Return the page that DEBUG shows, the text that admins are sent, and what is logged."""
        config = tenant.connection_settings()
        with self.assertLogs("django", "DEBUG") as logs, connections.instead(tenant.alias, config) as connection:
            try:
                connection.ensure_connection()
            except DatabaseError:
                reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
            raised = reporter.exc_type, reporter.exc_value, reporter.tb
            logging.getLogger("django.request").error("A page failed", exc_info=raised)
            said = [reporter.get_traceback_html(), reporter.get_traceback_text(), logs.output]
            return f"{said} {connection.settings_dict}"

    def test_no_report_of_a_failed_connection_holds_the_password_of_the_server(self):
        text = self.reports(Tenant(slug="acme", database="acme"))
        self.assertIn("ensure_connection", text)
        self.assertNotIn(SERVERS, text)

    def test_no_report_of_a_failed_connection_holds_the_password_of_the_tenant(self):
        text = self.reports(Tenant(slug="acme", database="acme", user="bob", password=passwords.encrypt(OWN)))
        self.assertNotIn(OWN, text)
        self.assertNotIn(SERVERS, text)


class FilterTests(SimpleTestCase):
    def test_passwords_in_dicts_and_by_name_are_hidden_and_the_rest_is_shown(self):
        try:
            config, password, place = {"PASSWORD": SERVERS, "OPTIONS": {"passwd": OWN}}, SERVERS, "at home"
            raise ValueError(len(config) + len(password) + len(place))
        except ValueError:
            html = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info()).get_traceback_html()
        self.assertNotIn(OWN, html)
        # Its own line of code is shown, and names no value.
        self.assertNotIn(SERVERS, html)
        self.assertIn("at home", html)

    def test_a_password_shows_itself_to_nobody_who_prints_what_it_is_in(self):
        password = passwords.Password(SERVERS)
        self.assertEqual(password, SERVERS)
        self.assertNotIn(SERVERS, f"{[password]} {password!r} {[{'PASSWORD': password}]}")

    def test_what_cannot_be_decrypted_says_what_to_do_and_shows_nothing(self):
        kept = passwords.encrypt(SERVERS)
        other = override_settings(TENANT_PASSWORD_KEYS=[Fernet.generate_key().decode()])
        with other, self.assertRaisesMessage(LookupError, "TENANT_PASSWORD_KEYS lacks: put it there, at the end"):
            passwords.reveal(kept)
        with override_settings(TENANT_PASSWORD_KEYS=[]), self.assertRaisesMessage(LookupError, "is not set"):
            passwords.reveal(kept)
