"""The entries of the replicas in `DATABASES`, one for each URL."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from databases.environment import ENGINES, SQLITE, from_url


def replica_databases(
    urls: list[str], development: dict[str, Any] | None, answer_seconds: float
) -> dict[str, dict[str, Any]]:
    """Return the entries `replica`, `replica_2` … for the URLs in `REPLICA_DATABASE_URLS`.

    A URL may contain a weight, as in `?weight=3`. Arguments: also the entry of `replica` if there is no URL, and how
    many seconds connecting may take.
    Raises `ImproperlyConfigured` like `from_url`, and for a weight that is not a whole number greater than 0.
    """
    if not urls and development is not None:
        return {"replica": development}
    aliases = ["replica", *(f"replica_{number}" for number in range(2, len(urls) + 1))]
    entries = [_replica(from_url(url, "REPLICA_DATABASE_URLS"), answer_seconds) for url in urls]
    return dict(zip(aliases, entries, strict=False))


def _replica(config: dict[str, Any], answer_seconds: float) -> dict[str, Any]:
    options = {**config["OPTIONS"]}
    weight = str(options.pop("weight", 1))
    if not weight.isdecimal() or int(weight) < 1:
        raise ImproperlyConfigured(
            "REPLICA_DATABASE_URLS: a weight must be a whole number greater than 0, as in ?weight=3."
        )
    config = {**config, "OPTIONS": options, "WEIGHT": int(weight), "POOL": {"wait_seconds": answer_seconds}}
    if config["ENGINE"] == SQLITE:
        # SQLite would make a file that is missing, and write to one that is there.
        config["NAME"] = f"{Path(config['NAME']).as_uri()}?mode=ro"
    elif config["ENGINE"] == ENGINES["mysql"]:
        # MySQL's driver cannot limit the check of a connection that is open. Whole seconds.
        config["CONN_MAX_AGE"] = 0
        options["connect_timeout"] = min(options["connect_timeout"], ceil(answer_seconds))
    return config
