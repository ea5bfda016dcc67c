"""Django's backend for PostgreSQL, with connections that the process shares."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from django.db.backends.postgresql import base
from django.utils.module_loading import import_string

from databases.tenants.backends.wrapper import TenantWrapper
from databases.tenants.leases import is_readable

#: The driver. By Django, so that projects without it have no import that linters cannot find.
driver: Any = base.DatabaseWrapper.Database
#: Undoes what a request has changed in its session, except prepared statements, which later requests use again. Not
#: DISCARD ALL, which also forgets the role that `ALTER ROLE … SET role` gives. Source: PostgreSQL manual, DISCARD.
RESET = (
    b"CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();"
    b" DISCARD TEMP; DISCARD SEQUENCES"
)
#: Seconds for which a request waits for the answer to it. Then it gets another connection.
ANSWER_SECONDS = 1


class DatabaseWrapper(TenantWrapper, base.DatabaseWrapper):
    """Keeps connections open for later requests. PostgreSQL needs some milliseconds for a new one."""

    def open(self, conn_params: dict[str, Any]) -> Any:
        # In web processes: a connection that waits for the server for a limited time (`databases.serving`).
        limited = self.settings_dict.get("CONNECTION_CLASS")
        if limited is None:
            return super().open(conn_params)
        # Like Django's own pool with autocommit. Otherwise what it sends to connect would begin a transaction.
        raw = import_string(limited).connect(**conn_params, autocommit=True)
        if level := self.settings_dict["OPTIONS"].get("isolation_level"):
            raw.isolation_level = driver.IsolationLevel(level)
        return raw

    def reset(self, raw: Any) -> bool:
        if not raw.autocommit or raw.pgconn.transaction_status != driver.pq.TransactionStatus.IDLE:
            return False
        # The answer is read when the next request takes the connection, so no request waits for it.
        limit = getattr(raw, "statement_timeout", None)
        raw.pgconn.send_query(RESET if limit is None else RESET + b"; SET statement_timeout = %d" % limit)
        raw.pgconn.flush()
        return True

    @staticmethod
    def is_alive(raw: Any) -> bool:
        if raw.closed:
            return False
        deadline = time.monotonic() + ANSWER_SECONDS
        with contextlib.suppress(driver.Error):
            while True:
                raw.pgconn.consume_input()
                if raw.pgconn.is_busy():
                    if not is_readable(raw.fileno(), deadline - time.monotonic()):
                        return False
                elif (result := raw.pgconn.get_result()) is None:
                    # What has come since is the end of the session, or no answer to a query.
                    return not is_readable(raw.fileno(), 0)
                elif result.status == driver.pq.ExecStatus.FATAL_ERROR:
                    return False
        return False
