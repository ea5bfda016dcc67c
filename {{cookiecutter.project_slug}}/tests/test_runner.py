"""Tests run with the settings of the tests, or not at all."""

from django.conf import settings
from django.test import SimpleTestCase

from databases.testing.runner import HOW

from . import production


class RunnerTests(SimpleTestCase):
    # None of these names a test that exists: a process that is not refused must not start this one again.

    def test_this_run_has_the_settings_of_the_tests(self):
        self.assertEqual(settings.SETTINGS_MODULE, "config.settings_test")

    def test_manage_py_refuses_the_settings_of_production(self):
        process = production.command("test", "notes", "--settings=config.settings")
        self.assertEqual(process.returncode, 1)
        self.assertIn(HOW, process.stderr)
        self.assertNotIn("Traceback", process.stderr)

    def test_pytest_refuses_the_settings_of_production(self):
        process = production.python("-m", "pytest", "--collect-only", "--ds=config.settings")
        self.assertEqual(process.returncode, 4)
        self.assertIn(HOW, process.stderr)
        self.assertNotIn("Traceback", process.stderr)

    def test_an_exported_settings_module_does_not_reach_the_tests(self):
        process = production.command("test", "tests.no_such_test", DJANGO_SETTINGS_MODULE="config.settings")
        self.assertIn("no_such_test", process.stderr)
        self.assertNotIn(HOW, process.stderr)
        process = production.python("-m", "pytest", "--collect-only", "-q", DJANGO_SETTINGS_MODULE="config.settings")
        self.assertEqual(process.returncode, 0, process.stderr)
