"""A page for monitoring: where the primary is, and how far each replica has followed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from . import positions
from .health import aliases, look_at


@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Return positions and lag as JSON; 503 where the primary does not answer. It names no host and no database."""
    try:
        primary: dict[str, Any] = {"is_well": True, "position": positions.as_text(positions.of_primary())}
    except Error as error:
        primary = {"is_well": False, "problem": type(error).__name__}
    replicas = {alias: standing_of(alias) for alias in aliases()}
    return JsonResponse({"primary": primary, "replicas": replicas}, status=200 if primary["is_well"] else 503)


def standing_of(alias: str) -> dict[str, Any]:
    """Return how a replica stands, in what JSON can hold."""
    try:
        standing = look_at(alias)
    except Error as error:
        # The class only: a driver's message quotes the address, and some the user.
        return {"is_well": False, "problem": type(error).__name__}
    return {
        "is_well": not standing.lags(settings.REPLICA_MAX_LAG_SECONDS),
        "position": positions.as_text(standing.position),
        "lag_bytes": standing.lag_bytes,
        "lag_seconds": standing.lag_seconds and round(standing.lag_seconds, 3),
    }
