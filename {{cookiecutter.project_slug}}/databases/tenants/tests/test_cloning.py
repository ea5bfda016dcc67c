"""The test database of one tenant is migrated, the others are copies of it, and all are dropped together."""

from __future__ import annotations

import multiprocessing
import threading
from unittest import mock

from django.db import OperationalError, connections
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TestCase

from databases.tenants.testing import CloningCreation, Run
from databases.tenants.tests.two_tenants import FIRST_ALIAS, SECOND_ALIAS


class ThisRunTests(TestCase):
    databases = {FIRST_ALIAS, SECOND_ALIAS}

    def test_the_second_tenants_database_is_a_copy_of_the_first(self):
        first, second = connections[FIRST_ALIAS], connections[SECOND_ALIAS]
        self.assertEqual(first.introspection.table_names(), second.introspection.table_names())
        recorded = [list(MigrationRecorder(each).migration_qs.order_by("pk").values()) for each in (first, second)]
        self.assertIn("layer_points", [row["app"] for row in recorded[0]])
        names = [[(row["app"], row["name"]) for row in rows] for rows in recorded]
        self.assertEqual(*names)
        # Parallel runs use databases that another process made, kept databases may come from different runs, and MySQL
        # cannot copy databases: there Django migrated each.
        is_copy = isinstance(second.creation, CloningCreation) and not second.creation.keeps
        if is_copy and not multiprocessing.parent_process():
            # Even the times at which they were applied are equal.
            self.assertEqual(*recorded)


class FakeEngine(BaseDatabaseCreation):
    """Records what is dropped. A drop waits until the other database is being dropped too."""

    started: threading.Barrier
    dropped: list[str]

    def _destroy_test_db(self, test_database_name, verbosity):
        self.started.wait(timeout=10)
        self.dropped.append(test_database_name)


class DroppingTests(SimpleTestCase):
    def setUp(self):
        run, self.started, self.dropped = Run(), threading.Barrier(2), []
        of_run = {"run": run, "started": self.started, "dropped": self.dropped}
        creation_class = type("Creation", (CloningCreation, FakeEngine), of_run)
        connection = mock.Mock(vendor="postgresql")
        self.creations = {name: creation_class(connection) for name in ("test_a", "test_b")}
        run.databases = {(creation, name) for name, creation in self.creations.items()}

    def drop(self, name: str) -> None:
        self.creations[name]._destroy_test_db(name, verbosity=0)

    def test_all_databases_are_dropped_at_the_same_time(self):
        self.drop("test_a")
        self.assertEqual(sorted(self.dropped), ["test_a", "test_b"])

    def test_no_database_is_dropped_twice(self):
        for name in ("test_b", "test_a"):
            self.drop(name)
        self.assertEqual(sorted(self.dropped), ["test_a", "test_b"])

    def test_a_failed_drop_is_tried_again(self):
        def fail(name: str, verbosity: int) -> None:
            self.started.wait(timeout=10)
            raise OperationalError

        broken = mock.patch.object(FakeEngine, "_destroy_test_db", side_effect=fail)
        with broken, self.assertRaises(OperationalError):
            self.drop("test_a")
        self.drop("test_a")
        self.assertEqual(sorted(self.dropped), ["test_a", "test_b"])
