"""`/livez` and `/readyz`, as a load balancer asks for them: by IP, without HTTPS, and while databases are down."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import connections
from django.test import TestCase, override_settings

from databases import health

#: Nothing answers there, on any engine. Only for connections that are opened later.
NOWHERE = {"HOST": "127.0.0.1", "PORT": "1", "USER": "ann", "NAME": f"{__file__}/db.sqlite3"}


@override_settings(
    ALLOWED_HOSTS=["example.com"],
    ROOT_URLCONF="databases.urls",
    MIDDLEWARE=[
        "databases.health.middleware",
        "django.middleware.security.SecurityMiddleware",
        *settings.DATABASE_MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
    ],
    SECURE_SSL_REDIRECT=True,
    REQUIRED_DATABASES=["default"],
)
class HealthCase(TestCase):
    databases = "__all__"

    def setUp(self):
        health._questions.clear()
        # What roles say of their databases is tested there.
        no_roles = mock.patch.object(health, "apps", **{"get_app_configs.return_value": []})
        no_roles.start()
        self.addCleanup(no_roles.stop)

    def ask(self, path: str = "/readyz", host: str = "10.0.0.7:8000") -> Any:
        return self.client.get(path, headers={"host": host})


class LiveTests(HealthCase):
    def test_a_process_is_alive_for_any_host_while_its_databases_are_down(self):
        with mock.patch.dict(connections.settings["default"], NOWHERE), self.assertNumQueries(0):
            for host in ("10.0.0.7:8000", "[::1]", "example.com", "no host!"):
                response = self.ask("/livez", host)
                self.assertEqual((response.status_code, response.content), (200, b"ok\n"), host)
        self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_other_pages_go_on_to_the_project(self):
        for path in ("/livez/more", "/readyz.json"):
            self.assertEqual(self.ask(path, "example.com").headers["Location"], f"https://example.com{path}")

    async def test_both_are_answered_in_an_event_loop(self):
        for path in ("/livez", "/readyz"):
            response = await self.async_client.get(path, headers={"host": "10.0.0.7"})
            self.assertEqual(response.status_code, 200, response.content)


class ReadyTests(HealthCase):
    def test_each_database_is_listed(self):
        response = self.ask()
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        found = response.json()
        self.assertEqual({*found}, {*connections})
        self.assertEqual(found["default"], {"healthy": True})

    def test_a_required_database_that_is_down_is_503_and_another_one_is_not(self):
        with mock.patch.dict(connections.settings["default"], NOWHERE):
            with self.assertNoLogs("django.request"):
                response = self.ask()
            self.assertEqual(response.status_code, 503)
            state = response.json()["default"]
            self.assertIs(state["healthy"], False)
            self.assertRegex(state["problem"], r"\A\w+\Z")
            with override_settings(REQUIRED_DATABASES=[]):
                response = self.ask()
        self.assertEqual((response.status_code, response.json()["default"]), (200, state))

    def test_a_required_database_that_is_unknown_is_503_and_named(self):
        with override_settings(REQUIRED_DATABASES=["layer_unknown"]):
            response = self.ask()
        self.assertEqual((response.status_code, response.json()["layer_unknown"]["healthy"]), (503, False))

    def test_one_that_hangs_delays_nobody_for_longer_and_holds_one_thread(self):
        hangs, calls = threading.Event(), []

        def hang(alias: str) -> dict[str, Any]:
            calls.append(alias)
            hangs.wait()
            return {"healthy": True}

        with mock.patch.object(health, "state_of", hang), mock.patch.object(health, "WAIT_SECONDS", 0.01):
            answers = [self.ask() for _ in range(3)]
            self.assertEqual({answer.status_code for answer in answers}, {503})
            self.assertEqual(answers[-1].json()["default"], {"healthy": False, "problem": "does not answer"})
            self.assertEqual(calls.count("default"), 1)
            hangs.set()
            for question in health._questions.values():
                # Otherwise the process could not end.
                self.assertTrue(question.thread.daemon)
                question.thread.join()
            self.assertEqual(self.ask().status_code, 200)

    def test_an_old_answer_is_asked_again(self):
        with mock.patch.dict(connections.settings["default"], NOWHERE):
            self.assertEqual(self.ask().status_code, 503)
        self.assertEqual(self.ask().status_code, 503)
        with mock.patch.object(health, "GOOD_SECONDS", 0):
            self.assertEqual(self.ask().status_code, 200)
