"""What load balancers ask: `/livez`, whether this process answers, and `/readyz`, whether its databases do.

The `AppConfig` of a role can say more of its databases by a method `health_of(alias)`, which returns a state or None.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from threading import Lock, Thread
from time import monotonic
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import sync_and_async_middleware

LIVE, READY = "/livez", "/readyz"
#: How long `/readyz` waits for a database at most, and how old its last answer may be.
WAIT_SECONDS, GOOD_SECONDS = 2.0, 1.0


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer `/livez` and `/readyz`. Put it first in `MIDDLEWARE`.

    Load balancers ask by IP and without HTTPS. So nothing may come before it that looks at the host, redirects, or
    needs a database: not even a tenant or a session.
    """
    if not iscoroutinefunction(get_response):
        return lambda request: respond(request.path_info) or get_response(request)

    async def answer(request: HttpRequest) -> Any:
        if request.path_info in (LIVE, READY):
            # It may wait for databases.
            return await sync_to_async(respond)(request.path_info)
        return await get_response(request)

    return answer


def respond(path: str) -> HttpResponse | None:
    """Return the response of one of the two addresses, or None.

    `/readyz` is 503 unless all `REQUIRED_DATABASES` are healthy. It is public: it shows no address and no message.
    """
    headers = {"Cache-Control": "no-store"}
    if path == LIVE:
        return HttpResponse("ok\n", content_type="text/plain", headers=headers)
    if path != READY:
        return None
    unknown = {"healthy": False, "problem": "is not in DATABASES"}
    found = {**dict.fromkeys(settings.REQUIRED_DATABASES, unknown), **states()}
    is_ready = all(found[alias]["healthy"] for alias in settings.REQUIRED_DATABASES)
    response = JsonResponse(found, status=200 if is_ready else 503, headers=headers)
    # Django has no public name for this. Otherwise it would log an error, and mail it, each time a balancer asks.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class Question:
    """A question to one database. A thread asks it, because a request can leave a thread, but no call of a driver."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.asked_at, self.answered_at = monotonic(), -inf
        self.state: dict[str, Any] = {"healthy": False, "problem": "does not answer"}
        self.thread = Thread(target=self.ask, daemon=True, name=f"asks {alias} for /readyz")
        self.thread.start()

    def ask(self) -> None:
        self.state = state_of(self.alias)
        self.answered_at = monotonic()


_questions: dict[str, Question] = {}
_lock = Lock()


def states() -> dict[str, dict[str, Any]]:
    """Return the state of each database in `DATABASES`, after at most `WAIT_SECONDS`.

    However many requests ask, each database gets one question at a time: otherwise one that hangs would fill this
    process with threads.
    """
    with _lock:
        for alias in connections:
            known = _questions.get(alias)
            if not known or (not known.thread.is_alive() and monotonic() - known.answered_at > GOOD_SECONDS):
                _questions[alias] = Question(alias)
        asked = dict(_questions)
    for question in asked.values():
        question.thread.join(max(0.0, question.asked_at + WAIT_SECONDS - monotonic()))
    return {alias: question.state for alias, question in asked.items()}


def state_of(alias: str) -> dict[str, Any]:
    """Return whether a database answers a query, and if not, the class of the error: messages quote addresses."""
    try:
        for config in apps.get_app_configs():
            if hasattr(config, "health_of") and (found := config.health_of(alias)):
                return dict(found)
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        return {"healthy": False, "problem": type(error.__cause__ or error).__name__}
    finally:
        # No request ends in this thread, so nothing else closes its connection, or gives it back to its pool.
        connections[alias].close()
    return {"healthy": True}
