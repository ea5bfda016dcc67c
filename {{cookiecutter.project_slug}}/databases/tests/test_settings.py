"""The project's settings: one sentence, without secrets, says what is missing or wrong."""

import os
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase
from django.test.utils import dependency_ordered

from databases.environment import from_url
from databases.testing.settings import configure
from databases.tests import production

#: Variables that production needs.
NEEDED = [name for name in production.ENVIRONMENT if name.endswith(("DOMAIN", "DATABASE_URL"))]


class OwnSettingsTests(SimpleTestCase):
    def test_debug_is_off_unless_it_is_asked_for(self):
        found = production.own_settings(DEBUG="", ALLOWED_HOSTS="")
        self.assertIs(found["DEBUG"], False)
        self.assertFalse({"*", "127.0.0.1", ".localhost"} & {*found["ALLOWED_HOSTS"]})

    def test_production_does_not_start_without_what_it_needs(self):
        for name in NEEDED:
            with self.subTest(name), self.assertRaisesMessage(ImproperlyConfigured, name):
                production.own_settings(**{name: ""})

    def test_an_invalid_url_stops_the_start_and_its_password_is_not_shown(self):
        process = production.command("check", DATABASE_URL="oracle://ann:s3cret@host/db")
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(process.stderr, r"\Amanage.py: DATABASE_URL must be a URL [^\n]*\n\Z")
        self.assertNotIn("s3cret", process.stderr)


class TestSettingsTests(SimpleTestCase):
    """The settings of tests, for a project with a second database beside the primary, on PostgreSQL."""

    def configured(self, archive: str, **environment: str) -> dict[str, Any]:
        """Return the `DATABASES` of tests. Arguments: the URL of the other database, and variables."""
        urls = {"default": "postgresql://ann@one.example.com/app?pool=true", "archive": archive}
        found: dict[str, Any] = {
            "DATABASES": {alias: from_url(url, alias) for alias, url in urls.items()},
            **{"OWN_DATABASES": ["default", "archive"], "INSTALLED_APPS": [], "APP_DATABASES": {}, "DATABASE_APPS": []},
        }
        with mock.patch.dict(os.environ, environment, clear=True):
            configure(found)
        return found["DATABASES"]

    def test_the_test_database_is_on_the_server_of_the_primary(self):
        found = self.configured("postgresql://ann@two.example.com/archive")
        self.assertEqual(found["archive"]["HOST"], "one.example.com")
        self.assertEqual(found["archive"]["NAME"], "archive")

    def test_a_sqlite_database_is_tested_on_sqlite(self):
        found = self.configured("sqlite:////srv/archive.sqlite3")["archive"]
        self.assertEqual(found["ENGINE"], "django.db.backends.sqlite3")
        self.assertEqual((found["NAME"], found["TEST"]["NAME"]), (":memory:", None))

    def test_another_engine_needs_a_server_for_tests(self):
        url = "mysql://ann:s3cret@two.example.com/archive"
        with self.assertRaisesMessage(ImproperlyConfigured, "TEST_ARCHIVE_DATABASE_URL must be") as caught:
            self.configured(url)
        self.assertNotIn("s3cret", str(caught.exception))
        found = self.configured(url, TEST_ARCHIVE_DATABASE_URL="mysql://ann@tests.example.com/archive")
        self.assertEqual(found["archive"]["HOST"], "tests.example.com")

    def test_tests_use_no_connection_pool(self):
        self.assertNotIn("pool", self.configured("sqlite:////srv/archive.sqlite3")["default"]["OPTIONS"])

    def test_each_database_can_be_tested_alone(self):
        for alias, database in settings.DATABASES.items():
            if not database["TEST"]["MIRROR"]:
                # What Django does with the databases of the tests that it runs.
                dependencies = {alias: database["TEST"].get("DEPENDENCIES", ["default"])} if alias != "default" else {}
                self.assertTrue(dependency_ordered([("", ("", [alias]))], dependencies))
