"""Test databases of tenants: the first that a run makes on a server is migrated, the others are copies of it.

Django would run every migration once per declared tenant; a copy costs milliseconds. PostgreSQL and SQLite copy a
whole database; on other engines, and with `--keepdb` or `--reuse-db`, Django's own way is taken.
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
    """What one run of tests has made: the migrated connection of each server, and databases, with what made them."""

    def __init__(self) -> None:
        self.migrated: dict[tuple[str, ...], BaseDatabaseWrapper] = {}
        self.there: set[tuple[CloningCreation, str]] = set()


class CloningCreation(BaseDatabaseCreation):
    """Put before an engine's own creation class; all tenants of a run share its `run`."""

    run: Run
    keeps = False

    def create_test_db(self, *args: Any, **options: Any) -> str:
        """Make the test database, as Django's method of this name, and return its name."""
        config = self.connection.settings_dict
        server = tuple(str(config[key]) for key in ("ENGINE", "HOST", "PORT", "USER"))
        self.keeps = bool(options.get("keepdb"))
        # Not all tenants need be asked for: whichever comes first is the one to copy.
        if self.keeps or options.get("serialize") or server not in self.run.migrated:
            name = super().create_test_db(*args, **options)
            self.run.migrated[server] = self.connection
        else:
            source = self.run.migrated[server]
            name = _copy(source, self, options.get("verbosity", 1), options.get("autoclobber", False))
        self.run.there.add((self, name))
        return name

    def _clone_test_db(self, suffix: str, *args: Any, **options: Any) -> None:
        super()._clone_test_db(suffix, *args, **options)  # type: ignore[misc]
        self.run.there.add((self, self.get_test_db_clone_settings(suffix)["NAME"]))

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        if self.connection.vendor != "postgresql":
            self._drop(test_database_name, verbosity)
        elif (self, test_database_name) in self.run.there:
            # With the first go all others: before a server drops a database it puts everything on the disk, which it
            # does once for those that are dropped at a time.
            databases = [*self.run.there]
            for creation, _ in databases:
                creation.connection.close()
            with ThreadPoolExecutor(max_workers=16) as pool:
                list(pool.map(lambda each: each[0]._drop(each[1], verbosity), databases))

    def _drop(self, name: str, verbosity: int) -> None:
        super()._destroy_test_db(name, verbosity)  # type: ignore[misc]
        self.run.there.discard((self, name))


def _copy(source: Any, creation: Any, verbosity: int, autoclobber: bool) -> str:
    """Do what `create_test_db` does, with a copy of the source's database in place of the migrations."""
    connection, name = creation.connection, str(creation._get_test_db_name())
    if verbosity >= 1:
        creation.log(f"Copying test database for alias {creation._get_database_display_str(verbosity, name)}...")
    if connection.vendor == "postgresql":
        # It copies no database that somebody is connected to.
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
    """Have the test databases of the tenants in `DATABASES` copied. To be called before each time they are made."""
    run = Run()
    for alias in settings.DATABASES:
        connection = connections[alias]
        if alias.startswith(ALIAS_PREFIX) and connection.vendor in ("postgresql", "sqlite"):
            bases = (CloningCreation, connection.creation_class)
            connection.creation = type("TenantCreation", bases, {"run": run})(connection)


class CloningRunner(DiscoverRunner):
    """Django's runner; `conftest.py` does the same for pytest."""

    def setup_databases(self, **kwargs: Any) -> Any:
        install()
        return super().setup_databases(**kwargs)
