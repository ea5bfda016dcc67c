"""The mirror's entry in `DATABASES`: read only, with a limit for every wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from databases.environment import ENGINES, SQLITE, from_url, with_limits

#: Time limits of statements on the mirror, in seconds. MySQL has max_execution_time (milliseconds), MariaDB has
#: max_statement_time (seconds), and PostgreSQL's limit is in `timeouts`. Source: MariaDB, comment syntax.
STATEMENT_LIMITS: dict[str, dict[str, Any]] = {
    SQLITE: {"timeout": 3},
    ENGINES["postgresql"]: {},
    ENGINES["mysql"]: {
        # Longer than the limit of a statement, so that the server ends it and not the client.
        "read_timeout": 12,
        "write_timeout": 12,
        "init_command": "SET SESSION /*!80000 max_execution_time = 10000 */ /*M! max_statement_time = 10 */",
    },
}


def mirror_database(url: str, development: dict[str, Any] | None) -> dict[str, Any]:
    """Return the entry for `MIRROR_DATABASE_URL`, or the entry of development if the URL is empty.

    SQLite opens an existing file read only and creates none. Raises `ImproperlyConfigured` like `from_url`.
    """
    config = from_url(url, "MIRROR_DATABASE_URL", development)
    config = with_limits(config, STATEMENT_LIMITS[config["ENGINE"]])
    if config["ENGINE"] == SQLITE:
        config["NAME"] = f"{Path(config['NAME']).absolute().as_uri()}?mode=ro"
    return config
