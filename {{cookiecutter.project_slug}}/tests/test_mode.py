"""Test mode is a fact about a database's name, and about nothing else."""

from unittest import mock

from django.conf import settings
from django.db import connections
from django.test import SimpleTestCase, TestCase, override_settings

from databases.roles import is_foreign
from databases.testing import mode


class ReplacedNameTests(TestCase):
    databases = "__all__"

    def test_the_external_databases_of_a_test_run_are_test_databases(self):
        aliases = [alias for alias in connections if is_foreign(alias)]
        self.assertTrue(aliases)
        for alias in aliases:
            with self.subTest(alias):
                self.assertTrue(mode.is_test_database(alias))

    def test_they_still_are_when_the_apps_are_started_again(self):
        names = dict(mode._configured)
        self.addCleanup(mode._configured.update, names)
        with override_settings(INSTALLED_APPS=settings.INSTALLED_APPS):
            self.assertEqual(mode._configured, names)
        self.test_the_external_databases_of_a_test_run_are_test_databases()


class NameTests(SimpleTestCase):
    def answer(self, name: str, configured: dict[str, str]) -> bool:
        settings = {"upstream": {"NAME": name}}
        with mock.patch.object(mode, "_configured", configured), mock.patch.object(connections, "settings", settings):
            return mode.is_test_database("upstream")

    def test_a_name_that_was_replaced_is_a_test_database(self):
        self.assertTrue(self.answer("test_shop", {"upstream": "shop"}))

    def test_a_configured_name_is_not(self):
        self.assertFalse(self.answer("shop", {"upstream": "shop"}))
        self.assertFalse(self.answer("test_shop", {"upstream": "test_shop"}))

    def test_a_test_name_that_is_the_configured_name_of_any_alias_is_not(self):
        self.assertFalse(self.answer("orders", {"upstream": "shop", "default": "orders"}))

    def test_an_alias_that_was_not_there_at_the_start_is_not(self):
        self.assertFalse(self.answer("test_shop", {"default": "orders"}))
