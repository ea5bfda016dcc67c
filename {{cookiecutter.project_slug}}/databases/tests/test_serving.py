"""A web process bounds its connections and limits its waits. Other processes do neither."""

from pathlib import Path
from typing import Any
from unittest import mock

from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase, override_settings

from databases import serving
from databases.environment import own_database, sqlite
from databases.tests import production

SHOW = """
import json
from django.db import connections
print(json.dumps({alias: [config["CONN_MAX_AGE"], sorted(config["OPTIONS"])] for alias, config
    in ((alias, connections.settings[alias]) for alias in connections)}))
"""


class ProcessTests(SimpleTestCase):
    def settings_after(self, start: str) -> dict[str, tuple[int, list[str]]]:
        return {alias: tuple(found) for alias, found in production.run(start + SHOW).items()}

    def test_no_connection_outlives_its_request_under_asgi(self):
        found = self.settings_after("import config.asgi")
        self.assertEqual({age for age, _ in found.values()}, {0})

    def test_under_wsgi_a_thread_keeps_its_connection(self):
        found = self.settings_after("import config.wsgi")
        self.assertEqual(found["default"][0], 60)
        self.assertIn("timeout", found["default"][1])

    def test_commands_have_no_limit_for_statements(self):
        self.assertEqual(self.settings_after("")["default"], (60, []))


class LimitTests(SimpleTestCase):
    def fitted(self, config: dict[str, Any], *, asgi: bool = False, own: bool = True) -> dict[str, Any]:
        """Return what `fit_connections` makes of an entry, of a database of our own or of someone else's."""
        handler = ConnectionHandler({"default": sqlite(Path("/nowhere")), "other": config})
        # This process is no web process: nothing may close its connections before it forks.
        with (
            mock.patch.object(serving.os, "register_at_fork"),
            mock.patch.object(serving, "connections", handler),
            override_settings(DATABASE_STATEMENT_SECONDS=7, OWN_DATABASES=["default", *(["other"] if own else [])]),
        ):
            serving.fit_connections(asgi=asgi)
        return handler.settings["other"]

    def test_a_server_and_its_client_limit_each_statement(self):
        config = own_database("mysql://ann:x@db/shop?write_timeout=60", "X")
        options = self.fitted(config)["OPTIONS"]
        self.assertEqual((options["read_timeout"], options["write_timeout"]), (9, 60))
        for limit in ("innodb_lock_wait_timeout = 7,", "lock_wait_timeout = 7 ", "max_statement_time = 7 "):
            self.assertIn(limit, options["init_command"])

    def test_databases_of_others_only_lose_their_kept_connections(self):
        config = own_database("mysql://ann:x@db/shop", "X")
        found = self.fitted(config, asgi=True, own=False)
        self.assertEqual((found["CONN_MAX_AGE"], found["OPTIONS"]), (0, config["OPTIONS"]))

    def test_connecting_to_our_own_database_has_a_time_limit_in_every_process(self):
        for url in ("mysql://ann:x@db/shop", "postgresql://ann:x@db/shop"):
            self.assertLessEqual(own_database(url, "X")["OPTIONS"]["connect_timeout"], 5)
