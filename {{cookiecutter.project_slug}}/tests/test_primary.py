"""What no other role claims belongs to the project's own database."""

from django.db import router
from django.test import SimpleTestCase

from databases.primary import PrimaryRouter
from databases.roles import role_of_alias
from notes.models import Note


class PrimaryRouterTests(SimpleTestCase):
    def test_its_models_are_read_and_written_there(self):
        self.assertEqual(router.db_for_read(Note), "default")
        self.assertEqual(router.db_for_write(Note), "default")

    def test_its_tables_are_made_there_and_nowhere_else(self):
        self.assertTrue(router.allow_migrate("default", "notes"))
        self.assertFalse(PrimaryRouter().allow_migrate("elsewhere", "notes"))

    def test_a_hint_narrows_an_operation_and_never_widens_it(self):
        for hint, allowed in (("primary", True), ("default", True), ("elsewhere", False)):
            with self.subTest(hint):
                self.assertEqual(router.allow_migrate("default", "notes", database=hint), allowed)
        self.assertFalse(PrimaryRouter().allow_migrate("elsewhere", "notes", database="elsewhere"))

    def test_an_alias_without_a_router_is_an_error(self):
        with self.assertRaisesMessage(LookupError, "DATABASE_ROUTERS"):
            role_of_alias("elsewhere")
