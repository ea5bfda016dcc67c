"""Django's backend for SQLite, with at most as many connections as the process may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base

from databases.tenants.backends.wrapper import TenantWrapper


class DatabaseWrapper(TenantWrapper, base.DatabaseWrapper):
    """Closes its connection at the end of a request."""

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if "://" not in str(params["database"]) and not str(params["database"]).startswith("file:"):
            # Not the name alone: SQLite would make an empty file in place of one that is missing.
            params |= {"database": f"{Path(params['database']).absolute().as_uri()}?mode=rw", "uri": True}
        return params
