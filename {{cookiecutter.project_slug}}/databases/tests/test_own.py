"""Models that no other role claims live in the project's own databases: in `default`, unless their app has a line."""

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, router
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps

from databases import registry
from databases.own import OwnRouter
from databases.registry import role_of_alias
from databases.tests.notebook.models import Note


class CacheTests(TransactionTestCase):
    """Django's cache in a database asks routers for a class that is no model."""

    def test_a_cache_may_be_a_table_of_the_primary(self):
        backend = "django.core.cache.backends.db.DatabaseCache"
        with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": "layer_cache"}}):
            call_command("createcachetable")
            self.addCleanup(self.drop)
            cache.set("key", "value")
            self.assertEqual(cache.get("key"), "value")

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE layer_cache")


class OwnRouterTests(SimpleTestCase):
    def test_its_models_are_read_and_written_there(self):
        self.assertEqual(router.db_for_read(Note), "default")
        self.assertEqual(router.db_for_write(Note), "default")

    def test_an_object_that_was_read_from_another_database_of_ours_is_written_there_too(self):
        note = Note()
        for alias in ("default", None, "elsewhere"):
            note._state.db = alias
            self.assertEqual(router.db_for_write(Note, instance=note), "default")

    def test_its_tables_are_made_there_and_nowhere_else(self):
        self.assertTrue(router.allow_migrate("default", "layer_notebook"))
        self.assertFalse(OwnRouter().allow_migrate("elsewhere", "layer_notebook"))

    def test_an_app_of_another_role_or_of_none_is_not_migrated_there(self):
        for role in ("elsewhere", ""):
            with override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_notebook": role}):
                self.assertFalse(OwnRouter().allow_migrate("default", "layer_notebook"))

    def test_an_app_with_a_line_lives_in_that_database_of_our_own_and_nowhere_else(self):
        moved = {**settings.APP_DATABASES, "layer_notebook": "layer-archive"}
        with override_settings(APP_DATABASES=moved, OWN_DATABASES=[*settings.OWN_DATABASES, "layer-archive"]):
            self.assertEqual(router.db_for_read(Note), "layer-archive")
            self.assertEqual(router.db_for_write(Note), "layer-archive")
            self.assertTrue(OwnRouter().allow_migrate("layer-archive", "layer_notebook", database="layer-archive"))
            self.assertFalse(OwnRouter().allow_migrate("default", "layer_notebook"))
            self.assertFalse(OwnRouter().allow_migrate("layer-archive", "admin"))
            self.assertEqual(role_of_alias("layer-archive"), "layer-archive")
            self.assertEqual(registry.problems(), [])
        with override_settings(APP_DATABASES=moved):
            (error,) = registry.problems()
        self.assertIn("'layer_notebook' into 'layer-archive', which is neither an alias in OWN_DATABASES", error.msg)

    def test_a_proxy_is_read_and_written_where_its_table_is(self):
        with isolate_apps():
            meta = type("Meta", (), {"app_label": "layer_elsewhere", "proxy": True})
            proxy = type("NoteProxy", (Note,), {"Meta": meta, "__module__": __name__})
        for app, home in (("layer_elsewhere", "default"), ("layer_notebook", "layer-archive")):
            moved = {**settings.APP_DATABASES, app: "layer-archive"}
            with override_settings(APP_DATABASES=moved, OWN_DATABASES=[*settings.OWN_DATABASES, "layer-archive"]):
                self.assertEqual(router.db_for_read(proxy), home)
                self.assertEqual(router.db_for_write(proxy), home)

    def test_a_hint_narrows_an_operation_and_never_widens_it(self):
        for hint, allowed in (("primary", True), ("default", True), ("elsewhere", False)):
            with self.subTest(hint):
                self.assertEqual(router.allow_migrate("default", "layer_notebook", database=hint), allowed)
        self.assertFalse(OwnRouter().allow_migrate("elsewhere", "layer_notebook", database="elsewhere"))

    def test_an_alias_without_a_router_is_an_error(self):
        with self.assertRaisesMessage(LookupError, "DATABASE_ROUTERS"):
            role_of_alias("elsewhere")
