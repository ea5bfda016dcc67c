"""Stops writes to a database for every process, at the server. Reads continue.

The database stays read-only until `thaw`, even if this process is killed.
"""

from __future__ import annotations

import time
from typing import Any

from databases.tenants.managed.ddl import SESSIONS, end_sessions
from databases.tenants.managed.maintenance import server_cursor
from databases.tenants.states import TenantError

#: Sessions that began before a moment, and so did not get a setting; whether they have been idle for a while.
EARLIER = f"""
SELECT pid, state = 'idle' AND state_change < clock_timestamp() - interval '1 second' {SESSIONS}
AND COALESCE(backend_start < %s, true)
"""


def freeze(alias: str, config: dict[str, Any], timeout: float) -> None:
    """Make the database of these settings read-only for all sessions.

    Arguments: an alias for messages, the settings, and the seconds that open transactions are given to end. Raises
    `TenantError` where sessions do not end, and Django's database errors. Only `thaw` undoes this, after an error too.
    """
    with server_cursor(alias, config) as cursor:
        name = cursor.db.ops.quote_name(config["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        # Only sessions that start from now on get the setting. PostgreSQL manual, ALTER DATABASE.
        cursor.execute("SELECT clock_timestamp()")
        start, deadline = cursor.fetchone()[0], time.monotonic() + timeout
        while True:
            cursor.execute(EARLIER, [config["NAME"], start])
            sessions = cursor.fetchall()
            if not sessions:
                return
            late = time.monotonic() > deadline
            if time.monotonic() > deadline + 10:
                raise TenantError(f"{len(sessions)} sessions on {config['NAME']} do not end: end them, and try again.")
            # A process replaces an idle session without an error; a transaction would be lost, so it is given time.
            for pid in [pid for pid, is_idle in sessions if is_idle or late]:
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            time.sleep(0.05)


def thaw(alias: str, config: dict[str, Any]) -> None:
    """Let a frozen database be written to again."""
    with server_cursor(alias, config) as cursor:
        cursor.execute(f"ALTER DATABASE {cursor.db.ops.quote_name(config['NAME'])} RESET default_transaction_read_only")
        # Sessions that began during the freeze would stay read-only.
        end_sessions(cursor, config["NAME"])


def allow_connections(alias: str, config: dict[str, Any], allowed: bool) -> None:
    """Open or close a database for connections; closing it ends the sessions that it has."""
    with server_cursor(alias, config) as cursor:
        name = cursor.db.ops.quote_name(config["NAME"])
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'true' if allowed else 'false'}")
        if not allowed:
            end_sessions(cursor, config["NAME"])
