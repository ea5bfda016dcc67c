"""The project's own settings: safe by default, and clear about what is missing."""

import os
import subprocess
import sys

from django.conf import settings
from django.test import SimpleTestCase

USE_THE_KEY = "from django.conf import settings; settings.SECRET_KEY"


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, in a process of its own, with this environment and nothing of the caller's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    # An empty value wins over a `.env` file, which this test must not depend on.
    env = {**kept, "SECRET_KEY": "", "DATABASE_URL": "", **environment}
    words = [sys.executable, *command]
    return subprocess.run(words, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, check=False)


class SettingsTests(SimpleTestCase):
    def test_nothing_starts_without_a_secret_key_and_the_message_is_one_sentence(self):
        process = run("manage.py", "shell", "-c", USE_THE_KEY, DEBUG="on", DATABASE_URL="sqlite:////x/y")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: [^\n]*SECRET_KEY[^\n]*\n\Z")

    def test_production_does_not_start_with_a_url_that_is_none_and_the_message_holds_no_password(self):
        process = run("manage.py", "check", DEBUG="off", SECRET_KEY="x", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)

    def test_the_settings_of_the_tests_are_not_those_of_production(self):
        self.assertFalse(settings.DEBUG)
        self.assertEqual(settings.SETTINGS_MODULE, "config.settings_test")

    def test_tests_refuse_to_run_with_the_settings_of_production(self):
        # One test module only: were it not refused, this test would start itself again and again.
        for command in (
            ("manage.py", "test", "--settings=config.settings", "tests.test_primary"),
            ("-m", "pytest", "--ds=config.settings", "tests/test_primary.py"),
        ):
            with self.subTest(command):
                process = run(*command, SECRET_KEY="x", DEBUG="on", DATABASE_URL="sqlite:////x/y")
                self.assertNotEqual(process.returncode, 0)
                self.assertIn("Tests run with config.settings_test only", process.stderr)

    def test_an_exported_settings_module_does_not_bring_production_into_a_test_run(self):
        for command in (("manage.py", "test", "tests.test_primary"), ("-m", "pytest", "tests/test_primary.py")):
            with self.subTest(command):
                process = run(
                    *command, DJANGO_SETTINGS_MODULE="config.settings", TEST_DATABASE_URL="sqlite:////x/y", DEBUG="off"
                )
                self.assertEqual(process.returncode, 0, process.stderr)
