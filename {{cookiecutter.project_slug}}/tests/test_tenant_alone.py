"""Locks of one project: one process at a time has each, and other projects on the machine or the server have theirs."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

from django.db import ConnectionHandler, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase

from databases.tenants import alone
from databases.tenants.states import TenantError

from .two_tenants import APERTURE_ALIAS


def process_of(primary: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Within the block, locks are taken as by a process with this connection to its primary database."""
    return mock.patch.object(alone, "connection", primary)


def lock() -> AbstractContextManager[None]:
    return alone.alone("migrate_tenants", "busy")


class AloneTests(TestCase):
    databases = {"default", APERTURE_ALIAS}

    def check(self, ours: BaseDatabaseWrapper, ours_too: BaseDatabaseWrapper, theirs: BaseDatabaseWrapper) -> None:
        for connection in (ours, ours_too, theirs):
            self.addCleanup(connection.close)
        with process_of(ours), lock():
            with process_of(theirs), lock():
                pass
            with process_of(ours_too), self.assertRaisesMessage(TenantError, "busy"), lock():
                pass
        with process_of(ours_too), lock():
            pass

    def test_a_project_with_another_database_on_the_same_server_is_not_held_up(self):
        ours, theirs = connections["default"], connections[APERTURE_ALIAS]
        self.check(ours.copy(), ours.copy(), theirs.copy())

    def test_a_project_with_its_primary_in_another_file_is_not_held_up(self):
        """On SQLite, whatever the engine of the tests: locks lie beside the file."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a b?#").mkdir()
            files = {"default": "a b?#/db.sqlite3", "same": "a b?#/../a b?#/db.sqlite3", "other": "db.sqlite3"}
            handler = ConnectionHandler(
                {
                    alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/{file}"}
                    for alias, file in files.items()
                }
            )
            self.check(*(handler[alias] for alias in files))
            locks = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
            self.assertEqual(locks, {f"{name}-locks/migrate_tenants" for name in ("a b?#/db.sqlite3", "db.sqlite3")})
