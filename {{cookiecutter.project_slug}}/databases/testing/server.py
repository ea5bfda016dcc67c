"""The test databases of a run on one PostgreSQL server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from django.core.management.base import CommandError
from django.db import Error

from databases.testing import cleaning
from databases.testing.names import TAGGED, by_tag, lock_key

#: How long a run waits for another one that builds the same template.
BUILDING = "10min"
#: How many databases PostgreSQL copies at the same time.
COPIES = 4


@contextmanager
def explained(creation: Any) -> Iterator[None]:
    """Turn errors of a server, and the `SystemExit` by which Django reports one, into a `CommandError` without details.

    Under pytest, which shows the arguments of functions, psycopg's traceback would show the password.
    """
    try:
        yield
    except (Error, SystemExit) as error:
        reason = error.__context__ if isinstance(error, SystemExit) else error
        raise CommandError(
            f"The test database of {creation.connection.alias!r} cannot be made. Correct DATABASE_URL, or the URL of a "
            "server for tests (see settings_test.py). Its user must be allowed to create databases. "
            f"The error: {' '.join(str(reason).split())}"
        ) from None


class Server:
    """The session of a run that says which databases are in use, until `end` or until the process ends.

    Arguments: the creation object of any database on the server, the tag of the run's databases, and the digest.
    """

    def __init__(self, creation: Any, tag: str, digest: str) -> None:
        name = TAGGED.fullmatch(creation._get_test_db_name())
        assert name  # noqa: S101 - for mypy: `TemplateCreation.is_copied` has looked
        self.project, self.tag, self.digest = name[1], tag, digest
        #: The database to copy, by the end of its template's name.
        self.sources: dict[str, str] = {}
        self.quote = creation.connection.ops.quote_name
        self.session = contextlib.ExitStack()
        with explained(creation):
            self.cursor = self.session.enter_context(creation._nodb_cursor())

    def make(self, creations: list[Any], verbosity: int) -> set[str]:
        """Copy a database for each alias, and return their names. Builds the templates that are missing."""
        self.cursor.execute(f"SET lock_timeout = '{BUILDING}'")
        for tag in (f"t{self.digest}", self.tag):
            self._call("pg_advisory_lock_shared", tag)
        self._drop_unused(self._names())
        for creation in creations:
            self._build(creation, verbosity)
        with ThreadPoolExecutor(max_workers=COPIES) as pool:
            return {*pool.map(self._copy, creations)}

    def end(self) -> None:
        """End the session, and have databases dropped that no run uses."""
        # Without the server there is nothing to drop.
        with contextlib.suppress(Error), self.session:
            # Now, because the server may notice the end of the session after the other process has looked for locks.
            self.cursor.execute("SELECT pg_advisory_unlock_all()")
            self._drop_unused(self._names())

    def _copy(self, creation: Any) -> str:
        name = str(creation._get_test_db_name())
        with explained(creation), creation._nodb_cursor() as cursor:
            source = self.quote(self.sources[creation.template])
            cursor.execute(f"CREATE DATABASE {self.quote(name)} TEMPLATE {source}")
        return name

    def _build(self, creation: Any, verbosity: int) -> None:
        """Migrate a database of this run, and make it the template, unless there is one."""
        if creation.template in self.sources:
            return
        template = self.project + creation.template
        # Wait while another run builds this template. Templates of other sources are built at the same time.
        self._call("pg_advisory_lock", creation.template)
        if template not in self._names():
            name = creation.migrate(verbosity=verbosity)
            if not creation.is_current():
                # A database of this run, which no other run uses, and which is dropped with it.
                template += f"_{self.tag}"
            creation.connection.close()
            # PostgreSQL copies no database that has sessions.
            self.cursor.execute(f"ALTER DATABASE {self.quote(name)} ALLOW_CONNECTIONS false")
            self.cursor.execute(f"ALTER DATABASE {self.quote(name)} RENAME TO {self.quote(template)}")
        self.sources[creation.template] = template
        # After an error `end` releases it.
        self._call("pg_advisory_unlock", creation.template)

    def _call(self, function: str, tag: str) -> None:
        self.cursor.execute(f"SELECT {function}(%s)", [lock_key(self.project, tag)])

    def _names(self) -> set[str]:
        self.cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in self.cursor.fetchall()}

    def _drop_unused(self, names: set[str]) -> None:
        """Start to drop databases of killed runs, of ended ones, and of other digests."""
        tagged = by_tag(names, self.project).items()
        unused = {str(lock_key(self.project, tag)): found for tag, found in tagged if tag != f"t{self.digest}"}
        if unused:
            info, make_conninfo = self.cursor.connection.info, import_module("psycopg.conninfo").make_conninfo
            cleaning.start(make_conninfo("", **info.get_parameters(), password=info.password or None), unused)
