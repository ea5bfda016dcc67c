"""The project's own settings: what is missing or wrong is said in one sentence, without secrets."""

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from . import production

#: What production cannot do without. The primary's URL has a default in some projects.
NEEDED = [name for name in production.ENVIRONMENT if name.endswith(("KEY", "DOMAIN", "_DATABASE_URL"))]


class OwnSettingsTests(SimpleTestCase):
    def test_debug_is_off_unless_it_is_asked_for(self):
        found = production.own_settings(DEBUG="", ALLOWED_HOSTS="")
        self.assertIs(found["DEBUG"], False)
        self.assertEqual(found["ALLOWED_HOSTS"], [])
        self.assertIs(found["SESSION_COOKIE_SECURE"] and found["CSRF_COOKIE_SECURE"], True)

    def test_production_does_not_start_without_what_it_needs(self):
        for name in NEEDED:
            with self.subTest(name), self.assertRaisesMessage(ImproperlyConfigured, name):
                production.own_settings(**{name: ""})

    # % if cookiecutter.__tenants
    def test_a_server_whose_tenants_would_share_a_database_is_refused(self):
        url = "postgresql://ann@db.example.com/one"
        for environment in ({"TENANT_DATABASE_URL": url}, {"TENANT_SERVERS": f"second={url}"}):
            with self.subTest(environment), self.assertRaisesMessage(ImproperlyConfigured, "must hold {name}"):
                production.own_settings(**environment)

    # % endif
    def test_a_url_that_is_none_stops_the_start_and_its_password_is_not_shown(self):
        process = production.command("check", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)
