"""Test databases of tenants: one is migrated, and the others are copies of the same template."""

from __future__ import annotations

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase

from databases.tenants.tests.two_tenants import FIRST_ALIAS, SECOND_ALIAS


class ThisRunTests(TestCase):
    databases = {FIRST_ALIAS, SECOND_ALIAS}

    def test_the_tenants_databases_are_copies_of_one_template(self):
        first, second = connections[FIRST_ALIAS], connections[SECOND_ALIAS]
        self.assertEqual(first.introspection.table_names(), second.introspection.table_names())
        recorded = [list(MigrationRecorder(each).migration_qs.order_by("pk").values()) for each in (first, second)]
        self.assertIn("layer_points", [row["app"] for row in recorded[0]])
        names = [[(row["app"], row["name"]) for row in rows] for rows in recorded]
        self.assertEqual(*names)
        # MySQL cannot copy databases, and kept ones may come from two templates with the same digest.
        if first.vendor != "mysql" and "_k" not in str(first.settings_dict["NAME"]):
            # Even the times at which they were applied are equal.
            self.assertEqual(*recorded)
