"""While the mirror is down, pages that need it answer 503, all others are served, and all are served when it is back.

A process in production serves the pages below as a WSGI and an ASGI server would. Between it and the mirror's test
database is a gate that it opens and closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tempfile
from io import StringIO
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.db import OperationalError, connections
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import TestCase
from django.urls import path

from databases.mirror.tests.people.models import Organisation
from databases.tests.notebook.models import Note
from databases.tests.outages import WAYS, ask, gate_of, run_report
from databases.tests.plain_site import plain_site


def template() -> Any:
    """Return a template, which evaluates the queryset that it is given."""
    opened, closed = "{" * 2, "}" * 2
    return engines["django"].from_string(f"{opened} organisations|length {closed}")


def without_the_mirror(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Note.objects.count()))


def in_the_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Organisation.objects.count()))


def in_a_template(request: HttpRequest) -> HttpResponse:
    return HttpResponse(template().render({"organisations": Organisation.objects.all()}, request))


def after_the_view(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, template(), {"organisations": Organisation.objects.all()})


async def in_an_async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await Organisation.objects.acount()))


def with_an_error_in_a_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(Organisation.objects.extra(select={"x": "no_such_column"}))))


def with_an_outage_of_the_primary(request: HttpRequest) -> HttpResponse:
    with contextlib.suppress(OperationalError):
        # The page does without the mirror, but the connection has an error recorded.
        Organisation.objects.count()
    with connections["default"].cursor() as cursor:
        cursor.execute("ATTACH DATABASE 'file:/nowhere/more?mode=ro' AS more")
    return HttpResponse()


NEEDING_IT = (in_the_view, in_a_template, after_the_view, in_an_async_view)
PAGES = (*NEEDING_IT, without_the_mirror, with_an_error_in_a_query, with_an_outage_of_the_primary)
urlpatterns = [path(f"{view.__name__}/", view) for view in PAGES]


async def ask_async(view: Any) -> list[Any]:
    """Return the same, as an ASGI server gets it."""
    headers = [(b"host", b"example.com")]
    scope = {"type": "http", "method": "GET", "path": f"/{view.__name__}/", "query_string": b"", "headers": headers}
    server = ApplicationCommunicator(get_asgi_application(), scope)
    await server.send_input({"type": "http.request", "body": b""})
    start = await server.receive_output(timeout=30)
    await server.receive_output(timeout=30)
    return [start["status"], dict(start["headers"]).get(b"Retry-After", b"").decode() or None]


def ask_all() -> dict[str, list[Any]]:
    sync = {view.__name__: ask(view) for view in PAGES}
    return sync | {f"{view.__name__} (ASGI)": asyncio.run(ask_async(view)) for view in PAGES}


def report() -> None:
    """Print what the pages answer while the mirror is down, up, down again, and back. This runs in production."""
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("databases.middleware")
    logger.addHandler(handler)
    logger.setLevel("WARNING")
    gate = gate_of("mirror")
    gate.turn("refusing")
    # Whether the project passes its checks is not asked here: they must not need the mirror.
    call_command("check", fail_level="CRITICAL", stderr=StringIO())
    # All apps, because receivers of `post_migrate` may need their tables.
    call_command("migrate", verbosity=0)
    with plain_site(__name__):
        pages = {"down": ask_all()}
        seen = len(logged)
        # Opening an open gate cuts all connections, as a server does that restarts between two requests.
        for state, turn in {"up": "open", "restarted": "open", "down again": "refusing", "back": "open"}.items():
            gate.turn(turn)
            pages[state] = ask_all()
        ways = {}
        for way in WAYS:
            gate.turn(way)
            ways[way] = ask(in_the_view)
        connections.settings["mirror"]["HOST"] = "no-such-host.invalid"
        ways["not found"] = ask(in_the_view)
    print(json.dumps({"pages": pages, "ways": ways, "logged": logged[:seen]}))


class OutageTests(TestCase):
    databases = {"mirror"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.report = run_report("mirror", __name__, folder.name)

    def answers(self, state: str, view: Any) -> list[list[Any]]:
        pages = self.report["pages"][state]
        return [pages[view.__name__], pages[f"{view.__name__} (ASGI)"]]

    def test_a_page_that_needs_the_mirror_answers_503_with_retry_after(self):
        for state in ("down", "down again"):
            for view in NEEDING_IT:
                with self.subTest(state=state, view=view.__name__):
                    self.assertEqual(self.answers(state, view), [[503, "10"]] * 2)

    def test_the_first_request_after_the_outage_is_served(self):
        for state in ("up", "restarted", "back"):
            for view in NEEDING_IT:
                with self.subTest(state=state, view=view.__name__):
                    self.assertEqual(self.answers(state, view), [[200, None]] * 2)

    def test_other_pages_are_served_throughout(self):
        for state in self.report["pages"]:
            self.assertEqual(self.answers(state, without_the_mirror), [[200, None]] * 2)

    def test_an_error_in_a_query_is_not_an_outage(self):
        for state in ("up", "back"):
            self.assertEqual(self.answers(state, with_an_error_in_a_query), [[500, None]] * 2)

    def test_an_outage_of_the_primary_is_not_one_of_the_mirror(self):
        for state in self.report["pages"]:
            self.assertEqual(self.answers(state, with_an_outage_of_the_primary), [[500, None]] * 2)

    def test_every_kind_of_outage_answers_503(self):
        self.assertEqual(self.report["ways"], dict.fromkeys([*WAYS, "not found"], [503, "10"]))

    def test_each_failure_is_logged_once_without_the_drivers_message(self):
        # Five pages queried the mirror, on two servers. The fifth is the one with an error in its query.
        self.assertEqual(len(self.report["logged"]), 2 * 5)
        for message in self.report["logged"]:
            self.assertRegex(message, r"^A page needs 'mirror', which is unavailable \(\w+\)$")
