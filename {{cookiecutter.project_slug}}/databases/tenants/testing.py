"""Test databases of tenants: the first one on a server is migrated, and the others are copies of it.

Django would run every migration once per declared tenant; a copy takes milliseconds. On MySQL, which cannot copy a
database, and with `--keepdb` or `--reuse-db`, Django migrates each test database.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import BaseDatabaseCreation
from django.test.runner import DiscoverRunner

from databases.tenants.context import ALIAS_PREFIX


class Run:
    """What one test run has made: the migrated connection of each server, and all databases with their creations."""

    def __init__(self) -> None:
        self.migrated: dict[tuple[str, ...], BaseDatabaseWrapper] = {}
        self.databases: set[tuple[CloningCreation, str]] = set()


class CloningCreation(BaseDatabaseCreation):
    """A mixin for an engine's creation class. All tenants of a test run share its `run`."""

    run: Run
    keeps = False

    def create_test_db(self, *args: Any, **options: Any) -> str:
        """Make the test database like Django's method of this name, and return its name."""
        config = self.connection.settings_dict
        server = tuple(str(config[key]) for key in ("ENGINE", "HOST", "PORT", "USER"))
        self.keeps = bool(options.get("keepdb"))
        # Tests may use a part of the tenants, so the first one that is made becomes the source of the copies.
        if self.keeps or options.get("serialize") or server not in self.run.migrated:
            name = super().create_test_db(*args, **options)
            self.run.migrated[server] = self.connection
        else:
            source = self.run.migrated[server]
            name = _copy(source, self, options.get("verbosity", 1), options.get("autoclobber", False))
        self.run.databases.add((self, name))
        return name

    def _clone_test_db(self, suffix: str, *args: Any, **options: Any) -> None:
        super()._clone_test_db(suffix, *args, **options)  # type: ignore[misc]
        self.run.databases.add((self, self.get_test_db_clone_settings(suffix)["NAME"]))

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        if self.connection.vendor != "postgresql":
            self._drop(test_database_name, verbosity)
        elif (self, test_database_name) in self.run.databases:
            # All databases are dropped with the first one: PostgreSQL makes a checkpoint before it drops a database,
            # and shares the checkpoint between drops at the same time.
            databases = [*self.run.databases]
            for creation, _ in databases:
                creation.connection.close()
            with ThreadPoolExecutor(max_workers=16) as pool:
                list(pool.map(lambda each: each[0]._drop(each[1], verbosity), databases))

    def _drop(self, name: str, verbosity: int) -> None:
        super()._destroy_test_db(name, verbosity)  # type: ignore[misc]
        self.run.databases.discard((self, name))


def _copy(source: Any, creation: Any, verbosity: int, autoclobber: bool) -> str:
    """Do what `create_test_db` does, but copy the source's database instead of running migrations."""
    connection, name = creation.connection, str(creation._get_test_db_name())
    if verbosity >= 1:
        creation.log(f"Copying test database for alias {creation._get_database_display_str(verbosity, name)}...")
    if connection.vendor == "postgresql":
        # PostgreSQL copies no database that has sessions.
        source.close()
        source.close_pool()
    with mock.patch.dict(connection.settings_dict["TEST"], TEMPLATE=source.settings_dict["NAME"]):
        creation._create_test_db(verbosity, autoclobber, keepdb=False)
    connection.close()
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = name
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        source.ensure_connection()
        source.connection.backup(connection.connection)
    return name


def install() -> None:
    """Make the test databases of the tenants in `DATABASES` copies. Called before each time that they are made."""
    run = Run()
    for alias in settings.DATABASES:
        connection = connections[alias]
        if alias.startswith(ALIAS_PREFIX) and connection.vendor in ("postgresql", "sqlite"):
            bases = (CloningCreation, connection.creation_class)
            connection.creation = type("TenantCreation", bases, {"run": run})(connection)


class CloningRunner(DiscoverRunner):
    """Django's runner with copied test databases. Under pytest `databases.testing.plugin` calls `prepare`."""

    prepare = staticmethod(install)

    def setup_databases(self, **kwargs: Any) -> Any:
        self.prepare()
        return super().setup_databases(**kwargs)
