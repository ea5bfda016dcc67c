"""The project's own settings: what is missing or wrong is said in one sentence, without secrets."""

from django.test import SimpleTestCase

from . import production

USE_THE_KEY = "from django.conf import settings; settings.SECRET_KEY"


class SettingsTests(SimpleTestCase):
    def test_nothing_works_without_a_secret_key(self):
        process = production.command("shell", "-c", USE_THE_KEY, SECRET_KEY="")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: [^\n]*SECRET_KEY[^\n]*\n\Z")

    def test_a_url_that_is_none_stops_the_start_and_its_password_is_not_shown(self):
        process = production.command("check", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)
