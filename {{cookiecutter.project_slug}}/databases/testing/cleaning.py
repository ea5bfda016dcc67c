"""Drops test databases that no run uses, in a process that outlives the test run which starts it.

A session that needs a database holds an advisory lock on the tag in its name. PostgreSQL releases the lock when the
session ends, however that happens. So databases without a lock are not in use, on whichever host the run was.

This file runs as a program. It imports no Django, because it competes with the tests for the processor.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

VARIABLE = "TEST_DATABASES_TO_DROP"

# Not DROP DATABASE … WITH (FORCE): for a user who is no superuser, it fails while autovacuum works on the database. A
# plain DROP DATABASE cancels autovacuum, and waits until all sessions have ended.
SESSIONS_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'
"""


def drop_unlocked(conninfo: str, databases: Mapping[str, list[str]]) -> None:
    """Drop databases on a PostgreSQL server. Arguments: where it is, and names by the number of their advisory lock."""
    # Not `import`: type checkers look for the package, which projects on other engines do not install.
    psycopg, sql = import_module("psycopg"), import_module("psycopg.sql")

    def drop(name: str) -> None:
        # An error with one must not keep the others: the next run tries again.
        with contextlib.suppress(psycopg.Error), psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(SESSIONS_END, [name])
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

    with psycopg.connect(conninfo, autocommit=True) as connection, ThreadPoolExecutor(max_workers=8) as pool:
        for lock, names in databases.items():
            if connection.execute("SELECT pg_try_advisory_lock(%s)", [int(lock)]).fetchone() == (True,):
                # At the same time: PostgreSQL makes a checkpoint before each drop, which parallel drops share.
                list(pool.map(drop, names))


def start(conninfo: str, databases: Mapping[str, list[str]]) -> None:
    """Start a process that calls `drop_unlocked`. It holds no pipe, so that a reader of our output does not wait."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, __file__],
        cwd=Path(__file__).anchor,
        # In the environment, because other users can read a command line, and conninfo may hold a password.
        env={**os.environ, VARIABLE: json.dumps([conninfo, databases])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Otherwise Python warns that nothing waits for the process.
    process.returncode = 0


if __name__ == "__main__":
    drop_unlocked(*json.loads(os.environ[VARIABLE]))
