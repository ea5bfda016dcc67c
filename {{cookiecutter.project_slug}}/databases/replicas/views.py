"""A page for monitoring: the position of the primary, and the status of each replica."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from databases.replicas import positions
from databases.replicas.health import aliases, replica_status


@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Return positions and lag as JSON, with status 503 if the primary is down. Names no host and no database."""
    try:
        primary: dict[str, Any] = {"healthy": True, "position": positions.as_text(positions.of_primary())}
    except Error as error:
        primary = {"healthy": False, "problem": type(error).__name__}
    replicas = {alias: status_of(alias) for alias in aliases()}
    return JsonResponse({"primary": primary, "replicas": replicas}, status=200 if primary["healthy"] else 503)


def status_of(alias: str) -> dict[str, Any]:
    """Return the status of a replica, ready for JSON."""
    try:
        status = replica_status(alias)
    except Error as error:
        # Only the class: a driver's message quotes the address, and sometimes the user.
        return {"healthy": False, "problem": type(error).__name__}
    return {
        "healthy": not status.lags(settings.REPLICA_MAX_LAG_SECONDS),
        "position": positions.as_text(status.position),
        "lag_bytes": status.lag_bytes,
        "lag_seconds": status.lag_seconds and round(status.lag_seconds, 3),
    }
