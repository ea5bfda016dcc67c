"""Locks are exclusive between the processes of a project. Other projects on the same server or disk have their own."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

from django.db import ConnectionHandler, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase

from databases.tenants.managed import locks
from databases.tenants.states import TenantError
from databases.tenants.tests.two_tenants import FIRST_ALIAS


def process_of(primary: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    """Within the block, locks are taken like in a process with this connection to its primary database."""
    return mock.patch.object(locks, "connection", primary)


def lock() -> AbstractContextManager[None]:
    return locks.named_lock("migrate_tenants", "busy")


class LockTests(TestCase):
    databases = {"default", FIRST_ALIAS}

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

    def test_projects_on_one_server_do_not_share_locks(self):
        ours, theirs = connections["default"], connections[FIRST_ALIAS]
        self.check(ours.copy(), ours.copy(), theirs.copy())

    def test_projects_on_sqlite_do_not_share_locks(self):
        """On SQLite, whatever the engine of the tests is: locks are files beside the database."""
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
            files = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
            self.assertEqual(files, {f"{name}-locks/migrate_tenants" for name in ("a b?#/db.sqlite3", "db.sqlite3")})
