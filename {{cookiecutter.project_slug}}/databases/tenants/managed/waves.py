"""The waves of a deploy: which tenants are migrated before which, and how many failures stop the next wave."""

from __future__ import annotations

import math
import re

from databases.tenants.registry import Tenant, find

#: The wave of all tenants that no earlier wave has.
REST = "rest"


def waves(text: str, tenants: list[Tenant]) -> list[list[Tenant]]:
    """Return the tenants in waves, such as `acme+horza,10%,rest`: two by name, a tenth of all, and all others.

    Arguments: the waves, separated by commas, each a slug (or several with `+`), a percentage of all, a number, or
    `rest`; and all tenants. Raises `ValueError`, and `UnknownTenantError` for an unknown slug.
    """
    left, found = {tenant.slug: tenant for tenant in tenants}, []
    for wave in text.split(","):
        if wave == REST:
            slugs = list(left)
        elif wave[:1].isdecimal():
            slugs = list(left)[: math.ceil(share(wave, len(tenants)))]
        else:
            slugs = wave.split("+")
        if others := [find(slug).slug for slug in slugs if slug not in left]:
            raise ValueError(f"{others[0]!r} is in an earlier wave, or is no tenant to migrate: correct --wave.")
        found.append([left.pop(slug) for slug in dict.fromkeys(slugs)])
    return found


def share(text: str, total: int) -> float:
    """Return a number, or a percentage of the total. Raises `ValueError` for any other text."""
    match = re.fullmatch(r"([0-9]+)(%?)", text)
    if match is None:
        raise ValueError(f"{text!r} is neither a number nor a percentage: write 5 or 5%, for example.")
    return int(match[1]) * total / 100 if match[2] else int(match[1])
