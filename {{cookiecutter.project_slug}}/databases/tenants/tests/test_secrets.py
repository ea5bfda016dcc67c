"""Passwords of databases show nowhere: not in error reports and not in logs."""

from __future__ import annotations

import logging
import sys

from django.db import DatabaseError, connections
from django.test import RequestFactory, TestCase, override_settings
from django.views.debug import ExceptionReporter

from databases.tenants.maintenance import maintenance_connection
from databases.tenants.models import Tenant

SERVERS = "hunter2-of-the-server"


class ReportTestCase(TestCase):
    """Tries to connect, with the driver of the project's own engine, to a port where nothing listens."""

    def setUp(self):
        engine = connections["default"].settings_dict["ENGINE"]
        server = {"ENGINE": engine, "NAME": "{name}", "HOST": "127.0.0.1", "PORT": "1", "USER": "ann"}
        if engine.endswith("sqlite3"):
            # No file can be in here: this is no folder.
            server["NAME"] = __file__ + "/{name}"
        servers = override_settings(TENANT_SERVERS={"default": {**server, "PASSWORD": SERVERS}})
        servers.enable()
        self.addCleanup(servers.disable)

    def reports(self, tenant: Tenant) -> str:
        """Return the page that DEBUG shows, the text that admins are sent, and what is logged."""
        config = tenant.connection_settings()
        with self.assertLogs("django", "DEBUG") as logs, maintenance_connection(tenant.alias, config) as connection:
            try:
                connection.ensure_connection()
            except DatabaseError:
                reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
            raised = reporter.exc_type, reporter.exc_value, reporter.tb
            logging.getLogger("django.request").error("A page failed", exc_info=raised)
            shown = [reporter.get_traceback_html(), reporter.get_traceback_text(), logs.output]
            return f"{shown} {connection.settings_dict}"


class ReportTests(ReportTestCase):
    def test_reports_of_failed_connections_hide_the_servers_password(self):
        text = self.reports(Tenant(slug="acme", database="acme"))
        self.assertIn("ensure_connection", text)
        self.assertNotIn(SERVERS, text)
