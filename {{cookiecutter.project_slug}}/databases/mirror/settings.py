"""The mirror's entry in `DATABASES`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from databases.environment import SQLITE, from_url


def mirror_database(url: str, development: dict[str, Any] | None) -> dict[str, Any]:
    """Return the entry for `MIRROR_DATABASE_URL`, or the entry of development if the URL is empty.

    SQLite opens an existing file read only and creates none. Raises `ImproperlyConfigured` like `from_url`.
    """
    config = from_url(url, "MIRROR_DATABASE_URL", development)
    if config["ENGINE"] == SQLITE:
        config["NAME"] = f"{Path(config['NAME']).as_uri()}?mode=ro"
    return config
