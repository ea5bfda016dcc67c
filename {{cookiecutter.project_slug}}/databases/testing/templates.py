"""Test databases are copies of templates: databases that are migrated once, and kept under the digest of their sources.

On PostgreSQL a template is a database on the test server; on SQLite it is a file in the project's folder `.cache`, from
which databases in memory are filled. MySQL cannot copy a database: there Django migrates each test database.

- Any change of the sources makes another digest, so no run uses an old template: see `digest.py`.
- A template gets its name in the last step. A killed run leaves databases that bear its own tag, and no template.
- Runs at the same time have different tags. One of them builds a template, and the others wait for it.
- What no run uses is dropped in the background, when a run ends and when the next one starts: see `cleaning.py`.

A copy lacks what PostgreSQL keeps outside of a database: `ALTER DATABASE … SET`, and grants on the database itself.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.creation import BaseDatabaseCreation
from django.test.runner import DiscoverRunner

from databases.environment import PROJECT
from databases.registry import role_of_alias
from databases.testing.digest import digest
from databases.testing.names import TAGGED
from databases.testing.server import Server, explained

CACHE = PROJECT / ".cache" / "test_templates"


class Run:
    """The test databases of one run, which are dropped after it even with `--keepdb`: the templates are kept."""

    def __init__(self) -> None:
        self.id = f"r{secrets.token_hex(4)}"
        self.wanted: dict[str, TemplateCreation] = {}
        self.made: set[str] = set()
        self.servers: list[Server] = []

    @cached_property
    def digest(self) -> str:
        # Computed when the first name is asked for, because options of pytest change settings until then.
        return digest()

    def make(self, verbosity: int) -> None:
        """Make the databases on PostgreSQL that this run wants and has not made, several at a time."""
        wanted, self.wanted = self.wanted, {}
        servers: dict[int, list[TemplateCreation]] = {}
        for creation in [each for each in wanted.values() if each.is_copied]:
            # No variable holds the settings, because `pytest --showlocals` would show their password.
            address = hash(
                repr([creation.connection.settings_dict[key] for key in ("HOST", "PORT", "USER", "OPTIONS")])
            )
            servers.setdefault(address, []).append(creation)
        for creations in servers.values():
            self.servers.append(Server(creations[0], self.id, self.digest))
            self.made |= self.servers[-1].make(creations, verbosity)

    def end(self) -> None:
        """Give this run's databases up. They are dropped in the background."""
        while self.servers:
            self.servers.pop().end()


class TemplateCreation(BaseDatabaseCreation):
    """A mixin for an engine's creation class. All connections of a test run share its `run`."""

    run: Run

    @property
    def template(self) -> str:
        """The end of the template's name. All aliases of a role have the same one."""
        try:
            role = role_of_alias(self.connection.alias)
        except LookupError:
            # A database that you have added for tests without a router.
            role = self.connection.alias
        return f"{role}_t{self.run.digest}"

    @property
    def is_copied(self) -> bool:
        """Whether PostgreSQL copies a template. It does not for databases with another `TEST["NAME"]` than ours."""
        return self.connection.vendor == "postgresql" and bool(TAGGED.fullmatch(self._get_test_db_name()))

    @property
    def file(self) -> Path | None:
        """The template of a SQLite database in memory."""
        name = self._get_test_db_name()
        is_in_memory = self.connection.vendor == "sqlite" and self.is_in_memory_db(name)  # type: ignore[attr-defined]
        return CACHE / f"{self.template}.sqlite3" if is_in_memory else None

    def test_db_signature(self) -> tuple[Any, ...]:
        """Return what Django's method returns. Django calls it for all databases of a run before it makes the first."""
        # By alias, because Django calls it twice for `default`.
        self.run.wanted[self.connection.alias] = self
        return super().test_db_signature()

    def create_test_db(self, *args: Any, **options: Any) -> str:
        """Make the test database like Django's method of this name, and return its name."""
        name, file, verbosity = self._get_test_db_name(), self.file, options.get("verbosity", 1)
        self.run.make(verbosity)
        if file or name in self.run.made:
            if verbosity >= 1:
                self.log(f"Copying test database for alias {self.connection.alias!r}...")
            self.connection.close()
            self.connection.settings_dict["NAME"] = name
            self.connection.ensure_connection()
            if not file or _load(file, self.connection.connection):
                return name
        name = self.migrate(*args, **options)
        if file and self.is_current():
            _save(self.connection.connection, file)
        return name

    def is_current(self) -> bool:
        """Return whether no source has changed since the run's start. Otherwise no other run may use a template."""
        return digest() == self.run.digest

    def migrate(self, *args: Any, **options: Any) -> str:
        """Make the test database in Django's way."""
        return super().create_test_db(*args, **options)

    def _get_test_db_name(self) -> str:
        name = str(super()._get_test_db_name())  # type: ignore[misc]
        # On MySQL, where Django keeps test databases with `--keepdb`, the digest says which ones fit the sources.
        tagged = f"{name}_{self.run.id if self.connection.vendor == 'postgresql' else f't{self.run.digest}'}"
        return tagged if TAGGED.fullmatch(tagged) else name

    def _create_test_db(self, *args: Any, **options: Any) -> str:
        with explained(self):
            return str(super()._create_test_db(*args, **options))  # type: ignore[misc]

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        # `Run.end` has copies dropped.
        if not self.is_copied:
            super()._destroy_test_db(test_database_name, verbosity)  # type: ignore[misc]


def _load(file: Path, target: sqlite3.Connection) -> bool:
    """Fill a database from a template, and return whether there is one."""
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as template:
            template.backup(target)
    except sqlite3.Error:
        return False
    return True


def _save(source: sqlite3.Connection, file: Path) -> None:
    """Keep a migrated database as a template, in place of older ones. Without it the next run migrates again."""
    unfinished = file.with_suffix(f".{secrets.token_hex(4)}")
    # The folder may be read-only, or another run may remove the unfinished file.
    with contextlib.suppress(OSError, sqlite3.Error):
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        unfinished.replace(file)
        for old in file.parent.glob(f"{file.stem.rpartition('_')[0]}_t*"):
            if old.stem != file.stem:
                old.unlink(missing_ok=True)


def install() -> Run:
    """Let Django make test databases from templates, and return the run, which the caller must `end`."""
    run = Run()
    for alias in settings.DATABASES:
        connection = connections[alias]
        bases = (TemplateCreation, connection.creation_class)
        connection.creation = type("TemplateCreation", bases, {"run": run})(connection)
    return run


class TemplateRunner(DiscoverRunner):
    """Django's runner with test databases from templates. Under pytest `databases.testing.fixtures` does the same."""

    def setup_databases(self, **kwargs: Any) -> Any:
        self.databases_of_run = install()
        return super().setup_databases(**kwargs)

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        super().teardown_databases(old_config, **kwargs)
        self.databases_of_run.end()
