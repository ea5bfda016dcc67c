"""What a visitor has written and seen, in signed cookies: the next page shows at least that.

A response sets a cookie of another name, and deletes the cookies that came with its request. So the order in which a
browser gets two responses does not matter: it keeps both cookies, and the newer one counts.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Collection
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers

from databases.replicas.positions import Answer, Mark

#: How many names there are: more than responses to one visitor are under way, and few enough for a server's limit.
NAMES = 16
#: Seconds for which a cookie is valid: far longer than a replica may lag before it is skipped.
COOKIE_SECONDS = 3600
NOTHING = Mark(0, None, 0.0)


class Visit(NamedTuple):
    """What a visitor must see at least, and the names of the cookies that say so."""

    mark: Mark = NOTHING
    #: The names of the servers that answered last. No other one is known to be as far.
    homes: frozenset[str] = frozenset()
    cookies: Collection[str] = ()
    #: Unix seconds, of the oldest cookie.
    made_at: float = 0.0


def visit_of(request: HttpRequest) -> Visit:
    """Return what the cookies of a request say. They are signed, so a client cannot forge them."""
    found: dict[str, tuple[Mark, str, float]] = {}
    for name in request.COOKIES:
        said = name.startswith(_prefix()) and request.get_signed_cookie(name, default=None, max_age=COOKIE_SECONDS)
        # Another release may have written it in another way.
        with contextlib.suppress(ValueError):
            if said:
                timeline, position, at, home, made = said.split("/")
                mark = Mark(int(timeline), int(position, 16) if position else None, float(at))
                found[name] = mark, home, float(made)
    if not found:
        return Visit()
    marks, homes, made_at = zip(*found.values(), strict=True)
    # A mark without a position cannot be compared with the others, so it comes first, until its time is over.
    waits = [mark for mark in marks if mark.position is None and not mark.is_reached(Answer())]
    newest = max(waits or marks)
    # One without a home was read from the primary: whatever has reached its mark may answer.
    return Visit(newest, frozenset({*homes} - {""}), [*found], min(made_at))


def remember(response: HttpResponseBase, visit: Visit, mark: Mark, home: str = "") -> None:
    """Set a cookie for the visitor's next pages. Arguments: also the mark, and the server that answered."""
    position = "" if mark.position is None else f"{mark.position:x}"
    where: dict[str, Any] = {
        "path": settings.SESSION_COOKIE_PATH,
        "domain": settings.SESSION_COOKIE_DOMAIN,
        "samesite": settings.SESSION_COOKIE_SAMESITE,
    }
    for old in visit.cookies:
        response.delete_cookie(old, **where)
    name = f"{_prefix()}{random.randrange(NAMES)}"  # noqa: S311
    response.set_signed_cookie(
        name,
        f"{mark.timeline}/{position}/{mark.at}/{home}/{time.time()}",
        max_age=COOKIE_SECONDS,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        **where,
    )
    # A cache that several visitors share must not give one the cookie of another.
    patch_vary_headers(response, ("Cookie",))
    patch_cache_control(response, private=True)


def _prefix() -> str:
    # Another site of the same domain has another name for its session, and must not take our cookies for its own.
    return f"{settings.SESSION_COOKIE_NAME}_replica_"
