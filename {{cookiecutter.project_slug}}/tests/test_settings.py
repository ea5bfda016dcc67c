"""The project's own settings: safe by default, and clear about what is missing."""

import os
import subprocess
import sys

from django.conf import settings
from django.test import SimpleTestCase

USE_THE_KEY = "from django.conf import settings; settings.SECRET_KEY"


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` in a process of its own, with this environment and nothing of the caller's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    command = [sys.executable, "manage.py", *arguments]
    # An empty value wins over a `.env` file, which this test must not depend on.
    blank = dict.fromkeys(["SECRET_KEY", "DATABASE_URL"], "")
    return subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env={**kept, **blank, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class SettingsTests(SimpleTestCase):
    def test_nothing_starts_without_a_secret_key_and_the_message_is_one_sentence(self):
        process = manage("shell", "-c", USE_THE_KEY, DEBUG="on", DATABASE_URL="sqlite:////x/y")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: [^\n]*SECRET_KEY[^\n]*\n\Z")

    def test_production_does_not_start_with_a_url_that_is_none_and_the_message_holds_no_password(self):
        process = manage("check", DEBUG="off", SECRET_KEY="x", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)

    def test_the_settings_of_the_tests_are_not_those_of_production(self):
        self.assertFalse(settings.DEBUG)
        self.assertEqual(settings.SETTINGS_MODULE, "config.settings_test")

    def test_tests_refuse_to_run_with_the_settings_of_production(self):
        process = manage(
            "test", "--settings=config.settings", SECRET_KEY="x", DEBUG="on", DATABASE_URL="sqlite:////x/y"
        )
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("config.settings_test", process.stderr)
