"""Templates of SQLite: files that fill the test databases in memory. A file that is missing or broken does no harm."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import connections
from django.test import SimpleTestCase

from databases.testing import templates
from databases.tests import production


class FileTests(SimpleTestCase):
    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "templates"
        self.file = self.folder / "primary_t0123456789.sqlite3"
        self.migrated = self.database()
        self.migrated.execute("CREATE TABLE note (id)")
        self.migrated.commit()

    def database(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:")
        self.addCleanup(database.close)
        return database

    def tables(self) -> list[str]:
        """Return the tables of a database that is filled from the template, or no tables without one."""
        database = self.database()
        found = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        self.assertEqual(found, [])
        if templates._load(self.file, database):
            found = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        return found

    def test_a_database_is_filled_from_the_template(self):
        templates._save(self.migrated, self.file)
        self.assertEqual(self.tables(), ["note"])

    def test_without_a_template_no_file_is_made(self):
        self.assertEqual(self.tables(), [])
        self.folder.mkdir()
        self.assertEqual(self.tables(), [])
        self.assertEqual([*self.folder.iterdir()], [])

    def test_a_template_replaces_those_of_older_sources_only(self):
        old, other = (self.folder / f"{name}.sqlite3" for name in ("primary_t9876543210", "mirror_t9876543210"))
        for file in (old, other, self.file):
            templates._save(self.migrated, file)
        self.assertEqual({*self.folder.iterdir()}, {self.file, other})

    def test_a_killed_run_leaves_no_template(self):
        class KilledConnection(sqlite3.Connection):
            def backup(self, target, **options):
                target.execute("CREATE TABLE note (id)")
                raise KeyboardInterrupt

        killed = sqlite3.connect(":memory:", factory=KilledConnection)
        self.addCleanup(killed.close)
        with self.assertRaises(KeyboardInterrupt):
            templates._save(killed, self.file)
        self.assertEqual(self.tables(), [])
        templates._save(self.migrated, self.file)
        self.assertEqual(self.tables(), ["note"])

    def test_a_folder_that_cannot_be_written_does_not_stop_the_run(self):
        self.folder.write_text("a file")
        templates._save(self.migrated, self.file)
        self.assertEqual(self.tables(), [])


class NameTests(SimpleTestCase):
    def test_a_database_without_a_router_has_a_template_of_its_own(self):
        connection = connections["default"].copy(alias="unserved")
        run = templates.Run()
        run.digest = "0123456789"
        creation = type("Creation", (templates.TemplateCreation, connection.creation_class), {"run": run})(connection)
        self.assertEqual(creation.template, "unserved_t0123456789")


class RunnerTests(SimpleTestCase):
    def test_another_test_runner_makes_test_databases_in_its_way(self):
        with TemporaryDirectory() as folder:
            Path(folder, "other_settings.py").write_text(
                f"from {settings.SETTINGS_MODULE} import *\nTEST_RUNNER = 'django.test.runner.DiscoverRunner'\n"
            )
            file = Path(folder, "test_runner.py")
            file.write_text(
                "from django.db import connection\n"
                "def test(django_db_modify_db_settings):\n"
                "    assert type(connection.creation).__name__ == 'DatabaseCreation'\n"
            )
            words = ("-m", "pytest", "-p", "databases.testing.plugin", "--ds=other_settings", str(file))
            process = production.python(*words, PYTHONPATH=folder)
        self.assertEqual(process.returncode, 0, process.stdout)
