"""The entries of the replicas in `DATABASES`, one for each URL."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import from_url


def replica_databases(urls: list[str], development: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the entries `replica`, `replica_2` … for the URLs in `REPLICA_DATABASE_URLS`.

    A URL may contain a weight, as in `?weight=3`. Argument `development`: the entry of `replica` if there is no URL.
    Raises `ImproperlyConfigured` like `from_url`, and for a weight that is not a whole number greater than 0.
    """
    if not urls and development is not None:
        return {"replica": development}
    aliases = ["replica", *(f"replica_{number}" for number in range(2, len(urls) + 1))]
    return {alias: _replica(from_url(url, "REPLICA_DATABASE_URLS")) for alias, url in zip(aliases, urls, strict=False)}


def _replica(config: dict[str, Any]) -> dict[str, Any]:
    options = {**config.get("OPTIONS", {})}
    weight = str(options.pop("weight", 1))
    if not weight.isdecimal() or int(weight) < 1:
        raise ImproperlyConfigured(
            "REPLICA_DATABASE_URLS: a weight must be a whole number greater than 0, as in ?weight=3."
        )
    return {**config, "OPTIONS": options, "WEIGHT": int(weight)}
