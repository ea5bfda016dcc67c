"""What servers say of the tenants' databases and of themselves. No tenant's database is entered."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError
from django.db.backends.utils import CursorWrapper

from databases.report import Report
from databases.tenants.maintenance import server_cursor
from databases.tenants.managed.ddl import SERVER_ALIAS
from databases.tenants.managed.template import template_settings

#: The size of a database is an error for a user without these rights. PostgreSQL manual, 9.28.7.
USAGE = """
SELECT d.datname, count(s.pid),
CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
THEN pg_database_size(d.oid) END
FROM pg_database d LEFT JOIN pg_stat_activity s ON s.datid = d.oid AND s.usesysid IS NOT NULL
WHERE d.datname = ANY(%s) GROUP BY d.oid, d.datname
"""
#: How many sessions ordinary users may have. `reserved_connections` came with PostgreSQL 16.
LIMIT = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
- coalesce(current_setting('reserved_connections', true)::int, 0)
"""


class Usage(NamedTuple):
    """The sessions on a database, and its size in bytes, or `None` where the server's user may not know it."""

    connections: int
    size: int | None


def usage_on(server: str, databases: Iterable[str]) -> dict[str, Usage]:
    """Return the usage of those of these databases that a server has.

    Raises Django's database errors, and `LookupError` for a server that is not in `TENANT_SERVERS`.
    """
    if server not in settings.TENANT_SERVERS:
        raise LookupError(f"The server {server!r} is not in TENANT_SERVERS: add it.")
    pattern = settings.TENANT_SERVERS[server]["NAME"]
    names = {pattern.replace("{name}", database): database for database in databases}
    with cursor_on(server) as cursor:
        cursor.execute(USAGE, [list(names)])
        return {names[name]: Usage(*row) for name, *row in cursor.fetchall()}


def report_servers() -> Iterator[Report]:
    """Yield for each server how many sessions all web processes may open there, and how many it accepts."""
    given = os.environ.get("WEB_CONCURRENCY", "")
    processes, each = int(given) if given.isdecimal() else 1, settings.TENANT_CONNECTIONS
    for server, config in settings.TENANT_SERVERS.items():
        report = Report(f"tenants on {server}", "server", "postgresql", str(config["NAME"]))
        try:
            with cursor_on(server) as cursor:
                cursor.execute(LIMIT)
                limit = cursor.fetchone()[0]
            report.facts.append(
                f"at most {processes} x {each} = {processes * each} of {limit} sessions"
                + (", MORE THAN IT ACCEPTS" if processes * each > limit else "")
                + ("" if given.isdecimal() else " (1 process: WEB_CONCURRENCY is not set)")
            )
        except DatabaseError as error:
            # Only the class: a driver's message may quote addresses and users.
            report.problems.append(f"cannot be reached ({type(error).__name__})")
        yield report


def cursor_on(server: str) -> AbstractContextManager[CursorWrapper]:
    """Within the block, a cursor on a server, outside of tenants' databases."""
    return server_cursor(SERVER_ALIAS, template_settings(server, ""))
