"""The digest and the names of test databases: any change of what a migration may read makes other databases."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.test import SimpleTestCase, override_settings

from databases.testing import digest, names

FILES = {
    "shelf/__init__.py": "",
    "shelf/migrations/0001_initial.py": "",
    "shelf/fixtures/rows.json": "[]",
    "shelf/tests.py": "",
    "manage.py": "",
}


class DigestTests(SimpleTestCase):
    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = Path(folder.name).resolve()
        # Apps outside of the project count too. Without them, the digest covers the files of this test alone.
        # The files of this test are younger than its process.
        for module, name, value in (
            (digest, "PROJECT", self.project),
            (digest, "STARTED", math.inf),
            (digest.apps, "get_app_configs", list),
        ):
            patch = mock.patch.object(module, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str = "new") -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_changes(self, change: Callable[[], object], *, changes: bool = True) -> None:
        before = digest.digest()
        change()
        self.assertEqual(digest.digest() != before, changes)

    def test_each_file_that_a_migration_may_read_changes_it(self):
        for name in (
            "shelf/migrations/0001_initial.py",
            "shelf/migrations/0002_added.py",
            "shelf/migrations/old/0001_initial.py",
            "shelf/migrations/0002_words.dat",
            "shelf/migrations/test_mode.py",
            "shelf/fixtures/rows.json",
            "rows/fixtures/rows.dat",
            "shelf/models.py",
            "shelf/countries.csv",
            "shelf/templates/shelf/terms.html",
            "shelf/testing.py",
            "shelf/words",
            "testimonials/models.py",
            "manage.py",
            ".env",
        ):
            with self.subTest(name):
                self.assert_changes(lambda name=name: self.write(name, "one"))
                self.assert_changes(lambda name=name: self.write(name, "two"))

    def test_another_name_of_a_file_changes_it(self):
        migration = self.project / "shelf/migrations/0001_initial.py"
        self.assert_changes(lambda: migration.rename(migration.with_name("0001_renamed.py")))

    def test_a_change_of_a_large_file_changes_it(self):
        with mock.patch.object(digest, "LARGE", 3):
            self.assert_changes(lambda: self.write("shelf/rows.csv", "1,2,3"))
            self.assert_changes(lambda: os.utime(self.project / "shelf/rows.csv", (1, 1)))

    def test_the_time_of_a_small_source_does_not_change_it(self):
        self.assert_changes(lambda: os.utime(self.project / "manage.py", (1, 1)), changes=False)

    def test_a_source_that_changed_after_the_start_of_the_run_makes_templates_for_this_run_alone(self):
        for started, changes in ((0, True), (math.inf, False)):
            with mock.patch.object(digest, "STARTED", started):
                before = digest.digest()
                self.assertEqual(digest.digest(), before)
                with mock.patch.object(digest, "THIS_PROCESS", b"another"):
                    self.assertEqual(digest.digest() != before, changes)

    def test_tests_and_what_programs_write_do_not_change_it(self):
        for name in (
            "shelf/tests.py",
            "shelf/tests/test_rows.py",
            "conftest.py",
            ".git/index.json",
            "shelf/__pycache__/models.py",
            "node_modules/rows.json",
            "media/rows.json",
            "coverage.xml",
            "db.sqlite3-journal",
            "logs/site.log",
        ):
            with self.subTest(name), override_settings(MEDIA_ROOT=f"{self.project}/media/"):
                self.assert_changes(lambda name=name: self.write(name), changes=False)
        with self.subTest("a virtual environment"):
            self.write("venv/pyvenv.cfg")
            self.assert_changes(lambda: self.write("venv/package.py"), changes=False)
        with self.subTest("the lock of an editor"):
            self.assert_changes(lambda: (self.project / "shelf/.#models.py").symlink_to("nowhere"), changes=False)
        with self.subTest("a link to a folder above"):
            self.assert_changes(lambda: (self.project / "shelf/all").symlink_to(self.project), changes=False)

    def test_settings_and_installed_packages_change_it(self):
        found = {digest.digest()}
        with override_settings(DATABASE_ROUTERS=[]):
            found.add(digest.digest())
        with override_settings(APP_DATABASES={"layer_notebook": "elsewhere"}):
            found.add(digest.digest())
        with mock.patch.object(digest.django, "get_version", return_value="0"):
            found.add(digest.digest())
        for folder in ("a", "b"):
            with override_settings(FIXTURE_DIRS=[Path(folder)]):
                found.add(digest.digest())
        with mock.patch.dict(digest.settings.DATABASES["default"]["TEST"], MIGRATE=False):
            found.add(digest.digest())
        with mock.patch.dict(digest.settings.DATABASES["default"], HOST="elsewhere", NAME="other", PORT="1"):
            self.assertIn(digest.digest(), found)
        with TemporaryDirectory() as packages, mock.patch.object(sys, "path", [*sys.path, packages]):
            Path(packages, "driver-2.0.dist-info").mkdir()
            found.add(digest.digest())
        self.assertEqual(len(found), 8)

    def test_an_app_outside_of_the_project_changes_it(self):
        with TemporaryDirectory() as folder:
            config = mock.Mock(path=folder, label="shelf")
            installed = mock.patch.object(digest.apps, "get_app_configs", lambda: [config])
            with installed, override_settings(MIGRATION_MODULES={"shelf": None}):
                self.assert_changes(lambda: Path(folder, "models.py").touch())

    def test_tests_without_migrations_have_other_databases(self):
        config = mock.Mock(path=str(self.project / "shelf"), label="shelf")
        found = set()
        for module in ("shelf.migrations", None):
            installed = mock.patch.object(digest.apps, "get_app_configs", lambda: [config])
            with installed, override_settings(MIGRATION_MODULES={"shelf": module}):
                found.add(digest.digest())
        self.assertEqual(len(found), 2)

    def test_it_is_the_same_in_another_folder(self):
        found = digest.digest()
        with TemporaryDirectory() as folder:
            with mock.patch.object(digest, "PROJECT", self.project.rename(Path(folder).resolve() / "moved")):
                self.assertEqual(digest.digest(), found)
            self.project.mkdir()


def name_of(alias: str = "upstream", primary: str = "shop") -> str:
    return str(names.test_database_name(alias, {"NAME": primary}, {"ENGINE": "django.db.backends.postgresql"}))


class DatabaseNameTests(SimpleTestCase):
    def test_every_project_and_alias_has_its_own_and_there_is_room_for_what_follows(self):
        long = "tenant_" + "x" * 60
        found = [name_of(), name_of("default"), name_of(primary="other"), name_of(primary="x" * 63)]
        found += [name_of(long), name_of(long + "y")]
        self.assertEqual(len({*found}), 6)
        self.assertLessEqual(max(len(f"{name}_gw99_t0123456789_99") for name in found), 63)

    def test_the_databases_of_a_project_are_told_apart_by_their_tags(self):
        project = name_of()[:14]
        run, template = f"{name_of()}_gw0_r01234567", f"{name_of('default')}_t0123456789"
        others = [f"{name_of(primary='other')}_r01234567", name_of(), "test_shop", f"{project}scratch_template"]
        found = names.by_tag([run, f"{run}_1", template, *others], project)
        self.assertEqual(found, {"r01234567": [run, f"{run}_1"], "t0123456789": [template]})
        self.assertEqual(len({names.lock_key(each, tag) for each in (project, "test_other") for tag in found}), 4)
