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
        words = ("-m", "pytest", "--collect-only", "-q", "tests/test_settings.py")
        process = production.python(*words, DJANGO_SETTINGS_MODULE="config.settings")
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_the_tests_know_no_server_of_production_but_the_primarys(self):
        url = "postgresql://ann@production.example.com/{name}"
        names = [name for name in production.ENVIRONMENT if "DATABASE_URL" in name and name != "DATABASE_URL"]
        # Two of each where there may be two.
        urls = {name: f"{url},{url}" if name.endswith("URLS") else url for name in names}
        code = "import json; from config import settings_test; print(json.dumps(vars(settings_test), default=str))"
        found = production.run(code, DJANGO_SETTINGS_MODULE="config.settings_test", **urls)
        # `PRODUCTION` is what they were made from.
        used = {name: value for name, value in found.items() if name.isupper() and name != "PRODUCTION"}
        self.assertNotIn("production.example.com", str(used))
