"""The project's settings: one sentence, without secrets, says what is missing or wrong."""

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from databases.tests import production

#: Variables that production needs.
NEEDED = [name for name in production.ENVIRONMENT if name.endswith(("KEY", "DOMAIN", "DATABASE_URL"))]


class OwnSettingsTests(SimpleTestCase):
    def test_debug_is_off_unless_it_is_asked_for(self):
        found = production.own_settings(DEBUG="", ALLOWED_HOSTS="")
        self.assertIs(found["DEBUG"], False)
        self.assertFalse({"*", "127.0.0.1", ".localhost"} & {*found["ALLOWED_HOSTS"]})
        self.assertIs(found["SESSION_COOKIE_SECURE"] and found["CSRF_COOKIE_SECURE"], True)

    def test_production_does_not_start_without_what_it_needs(self):
        for name in NEEDED:
            with self.subTest(name), self.assertRaisesMessage(ImproperlyConfigured, name):
                production.own_settings(**{name: ""})

    def test_an_invalid_url_stops_the_start_and_its_password_is_not_shown(self):
        process = production.command("check", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)
