"""Tests run with the settings of the tests, or not at all."""

from pathlib import Path
from unittest import mock

from django.conf import settings
from django.test import SimpleTestCase

from databases.testing import plugin
from databases.testing.runner import HOW
from databases.tests import production


class RunnerTests(SimpleTestCase):
    # No process runs an existing test: one that is not refused must not start this test again.

    def test_this_run_has_the_settings_of_the_tests(self):
        self.assertEqual(settings.SETTINGS_MODULE, f"{production.OWN_SETTINGS}_test")

    def test_manage_py_refuses_the_settings_of_production(self):
        process = production.command("test", "layer_notebook", f"--settings={production.OWN_SETTINGS}")
        self.assertEqual(process.returncode, 1)
        self.assertIn(HOW, process.stderr)
        self.assertNotIn("Traceback", process.stderr)

    def test_pytest_refuses_the_settings_of_production(self):
        process = production.python("-m", "pytest", "--collect-only", f"--ds={production.OWN_SETTINGS}")
        self.assertEqual(process.returncode, 4)
        self.assertIn(HOW, process.stderr)
        self.assertNotIn("Traceback", process.stderr)

    def test_an_exported_settings_module_does_not_reach_the_tests(self):
        exported = {"DJANGO_SETTINGS_MODULE": production.OWN_SETTINGS}
        process = production.command("test", "databases.tests.no_such_test", **exported)
        self.assertIn("no_such_test", process.stderr)
        self.assertNotIn(HOW, process.stderr)
        words = ("-m", "pytest", "--collect-only", "-q", "databases/tests/test_settings.py")
        process = production.python(*words, **exported)
        self.assertEqual(process.returncode, 0, process.stderr)

    def collected(self, *words: str) -> bool:
        """Return whether pytest finds this file among the project's tests."""
        process = production.python("-m", "pytest", "--collect-only", "-q", *words)
        # Whatever the other tests are: 3 is an internal error of pytest, and 4 an error in its arguments.
        self.assertNotIn(process.returncode, (3, 4), process.stderr)
        return "databases/tests/test_runner.py" in process.stdout

    def test_a_plain_pytest_leaves_the_layers_tests_out(self):
        self.assertFalse(self.collected())

    def test_pytest_with_layer_runs_the_layers_tests_too(self):
        # Not all of them: collecting those of the roles takes seconds.
        self.assertTrue(self.collected("--layer", "--ignore-glob=databases/*/tests"))

    def test_pytests_default_pattern_finds_no_settings_of_tests(self):
        config = mock.Mock(rootpath=Path("/srv"))
        self.assertIs(plugin.pytest_ignore_collect(Path("/srv/shop/settings_test.py"), config), True)
        self.assertIs(plugin.pytest_ignore_collect(Path("/srv/shop/views_test.py"), config), None)

    def test_the_tests_know_no_server_of_production_but_the_primarys(self):
        url = "postgresql://ann@production.example.com/{name}"
        names = [name for name in production.ENVIRONMENT if "DATABASE_URL" in name and name != "DATABASE_URL"]
        # These are on another engine than the primary, so they need a URL for tests.
        others = settings.OWN_DATABASES[1:]
        urls_of_tests = {f"TEST_{alias.upper()}_DATABASE_URL": "sqlite:////srv/tests.sqlite3" for alias in others}
        # Two of each where there may be two.
        urls = {name: f"{url},{url}" if name.endswith("URLS") else url for name in names}
        code = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in dir(settings)}, default=str))
"""
        found = production.run(code, DJANGO_SETTINGS_MODULE=settings.SETTINGS_MODULE, **urls, **urls_of_tests)
        used = {name: value for name, value in found.items() if name.isupper()}
        self.assertIn("DATABASES", used)
        self.assertNotIn("production.example.com", str(used))
