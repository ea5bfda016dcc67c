"""Waits for a mirror that hangs time out."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from typing import Any

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, TestCase
from django.urls import path

from databases.environment import from_url
from databases.mirror.settings import mirror_database
from databases.mirror.tests.test_down import ask
from databases.tests import production
from databases.tests.plain_site import plain_site

#: The statement that shows the limit of a session, options that change it, and what the session shows before and after.
LIMIT = {
    "postgresql": "SHOW statement_timeout",
    "mysql": "SHOW SESSION VARIABLES WHERE Variable_name IN ('max_statement_time', 'max_execution_time')",
    "sqlite": "PRAGMA busy_timeout",
}
OWN = {
    "postgresql": {"options": "-c statement_timeout=100"},
    "mysql": {"init_command": "SET SESSION /*!80000 max_execution_time = 100 */ /*M! max_statement_time = 0.1 */"},
    "sqlite": {"timeout": 0.1},
}
EXPECTED = {
    "postgresql": [["10s"], ["100ms"]],
    "mysql": [["max_statement_time", "10.000000"], ["max_statement_time", "0.100000"]],
    "sqlite": [[3000], [100]],
}
EXPECTED_OF_MYSQL = [["max_execution_time", "10000"], ["max_execution_time", "100"]]
SLOW = {
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT id FROM layer_people_organisation WHERE SLEEP(60)",
    "sqlite": "SELECT id FROM layer_people_organisation",
}


def run(sql: str) -> list[Any]:
    with connections["mirror"].cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchone())


def slow(request: HttpRequest) -> HttpResponse:
    return HttpResponse(run(SLOW[connections["mirror"].vendor]))


urlpatterns = [path("slow/", slow)]


@plain_site(__name__)
def report() -> None:
    """Print the limits of two sessions, and the answer of a page that exceeds one. This runs in production."""
    connection = connections["mirror"]
    limits = [run(LIMIT[connection.vendor])]
    connection.close()
    connection.settings_dict["OPTIONS"].update(OWN[connection.vendor])
    limits.append(run(LIMIT[connection.vendor]))
    with contextlib.ExitStack() as stack:
        if connection.vendor == "sqlite":
            # SQLite waits where another connection writes.
            file = connection.settings_dict["NAME"].removeprefix("file:").partition("?")[0]
            writer = stack.enter_context(contextlib.closing(sqlite3.connect(file)))
            writer.execute("BEGIN EXCLUSIVE")
        answer = ask(slow)
    print(json.dumps([limits, answer]))


class TimeoutTests(TestCase):
    databases = {"mirror"}

    def test_the_server_ends_a_slow_statement_and_the_page_answers_503(self):
        with tempfile.TemporaryDirectory() as folder:
            url = production.url_of("mirror", folder)
            limits, answer = production.run(f"from {__name__} import report; report()", MIRROR_DATABASE_URL=url)
        expected = EXPECTED[connections["mirror"].vendor]
        self.assertIn(limits, [expected, EXPECTED_OF_MYSQL])
        self.assertEqual(answer, [503, "10"])


class SettingsTests(SimpleTestCase):
    def options(self, url: str) -> dict[str, Any]:
        return mirror_database(url, None)["OPTIONS"]

    def test_every_engine_has_limits(self):
        self.assertEqual(self.options("sqlite:////srv/a.sqlite3"), {"timeout": 3})
        postgresql = self.options("postgresql://reader:secret@main.example.com/main_site")
        self.assertEqual((postgresql["connect_timeout"], postgresql["tcp_user_timeout"]), (3, 10_000))
        mysql = self.options("mysql://reader:secret@main.example.com/main_site")
        self.assertEqual((mysql["connect_timeout"], mysql["read_timeout"]), (3, 12))

    def test_parameters_of_the_url_win(self):
        url = "postgresql://reader:secret@main.example.com/main_site?connect_timeout=1&sslmode=require"
        options = self.options(url)
        self.assertEqual((options["connect_timeout"], options["sslmode"]), (1, "require"))
        self.assertEqual(options["tcp_user_timeout"], 10_000)

    def test_only_the_mirror_has_limits(self):
        primary = from_url("postgresql://ann:secret@db.example.com/shop", "DATABASE_URL")
        self.assertNotIn("connect_timeout", primary.get("OPTIONS", {}))
