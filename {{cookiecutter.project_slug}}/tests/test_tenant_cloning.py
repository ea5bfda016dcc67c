"""Test databases of tenants are migrated once; each further tenant gets a copy."""

from __future__ import annotations

import multiprocessing

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase

from databases.testing.cloning import CloningCreation

from .two_tenants import APERTURE_ALIAS, VAVATCH_ALIAS


class ThisRunTests(TestCase):
    databases = {APERTURE_ALIAS, VAVATCH_ALIAS}

    def test_the_second_tenant_has_the_tables_and_the_very_migrations_of_the_first(self):
        first, second = connections[APERTURE_ALIAS], connections[VAVATCH_ALIAS]
        self.assertEqual(first.introspection.table_names(), second.introspection.table_names())
        recorded = [list(MigrationRecorder(each).migration_qs.order_by("pk").values()) for each in (first, second)]
        self.assertIn("projects", [row["app"] for row in recorded[0]])
        names = [[(row["app"], row["name"]) for row in rows] for rows in recorded]
        self.assertEqual(*names)
        # The databases of a parallel run were made by another process, kept ones may come from different runs, and
        # MySQL and MariaDB copy none: there each was migrated.
        is_copy = isinstance(second.creation, CloningCreation) and not second.creation.keeps
        if is_copy and not multiprocessing.parent_process():
            # With the times at which they were applied.
            self.assertEqual(*recorded)
