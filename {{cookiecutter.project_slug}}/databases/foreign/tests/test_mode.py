"""Test mode depends on the name of a database and on nothing else."""

from unittest import mock

from django.conf import settings
from django.db import connections
from django.test import SimpleTestCase, TestCase, override_settings

from databases.foreign import mode
from databases.registry import is_foreign


class ReplacedNameTests(TestCase):
    databases = "__all__"

    def test_the_foreign_databases_of_a_test_run_are_test_databases(self):
        aliases = [alias for alias in connections if is_foreign(alias)]
        self.assertTrue(aliases)
        for alias in aliases:
            with self.subTest(alias):
                self.assertTrue(mode.is_test_database(alias))

    def test_they_still_are_after_the_apps_start_again(self):
        names = dict(mode._configured)
        self.addCleanup(mode._configured.update, names)
        with override_settings(INSTALLED_APPS=settings.INSTALLED_APPS):
            self.assertEqual(mode._configured, names)
        self.test_the_foreign_databases_of_a_test_run_are_test_databases()


class NameTests(SimpleTestCase):
    def answer(self, name: str, configured: dict[str, str]) -> bool:
        settings = {"upstream": {"NAME": name}}
        with mock.patch.object(mode, "_configured", configured), mock.patch.object(connections, "settings", settings):
            return mode.is_test_database("upstream")

    def test_a_replaced_name_is_a_test_database(self):
        self.assertTrue(self.answer("test_shop", {"upstream": "shop"}))

    def test_a_configured_name_is_not_a_test_database(self):
        self.assertFalse(self.answer("shop", {"upstream": "shop"}))
        self.assertFalse(self.answer("test_shop", {"upstream": "test_shop"}))

    def test_a_name_configured_for_any_alias_is_not_a_test_database(self):
        self.assertFalse(self.answer("orders", {"upstream": "shop", "default": "orders"}))

    def test_an_alias_added_after_the_start_is_not_a_test_database(self):
        self.assertFalse(self.answer("test_shop", {"default": "orders"}))
