"""The secondary is written and migrated like the primary, and each transaction belongs to one of them."""

from __future__ import annotations

from unittest import mock

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import OperationalError, connections, models, router, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.transaction import TransactionManagementError
from django.test import TestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps
from django.urls import path, reverse

from databases import atomic_for, load_related, migrating, on_commit_for
from databases.checks import crossing_relations
from databases.registry import is_foreign, models_of, role_of_alias
from databases.secondary.tests.diary.models import Entry
from databases.tests.notebook.models import Note
from databases.tests.plain_site import plain_site
from databases.tests.users import make_superuser

SECONDARY = "secondary"
BOTH = {"default", SECONDARY}


urlpatterns = [path("admin/", admin.site.urls)]


class RoutingTests(TestCase):
    databases = BOTH

    def test_its_apps_are_read_and_written_there(self):
        entry = Entry.objects.create(text="first")
        self.assertEqual(entry._state.db, SECONDARY)
        self.assertEqual(Entry.objects.get()._state.db, SECONDARY)
        self.assertEqual(role_of_alias(SECONDARY), SECONDARY)
        self.assertFalse(is_foreign(SECONDARY))
        self.assertIn(Entry, models_of(SECONDARY))

    def test_its_tables_are_there_and_nowhere_else(self):
        table, note = Entry._meta.db_table, Note._meta.db_table
        found = {alias: {*connections[alias].introspection.table_names()} & {table, note} for alias in BOTH}
        self.assertEqual(found, {"default": {note}, SECONDARY: {table}})

    @isolate_apps()
    def test_a_relation_to_the_primary_is_an_error_that_names_it(self):
        with override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_audit": SECONDARY}):
            user = models.ForeignKey(get_user_model(), models.CASCADE, related_name="+")
            meta = type("Meta", (), {"app_label": "layer_audit"})
            log = type("Log", (models.Model,), {"user": user, "Meta": meta, "__module__": __name__})
            (error,) = crossing_relations(log)
        self.assertIn(
            f"layer_audit.Log.user points from the secondary database to {get_user_model()._meta.label}", error.msg
        )
        self.assertIn("user_id = ", error.hint)

    def test_rows_of_the_primary_are_loaded_in_one_query(self):
        notes = [Note.objects.create(text=text) for text in ("one", "two")]
        for note in notes:
            Entry.objects.create(text="about", note_id=note.pk)
        entries = list(Entry.objects.order_by("pk"))
        with self.assertNumQueries(1, using="default"):
            load_related(entries, "note_id", Note)
        self.assertEqual([entry.note for entry in entries], notes)


class MigrateTests(TransactionTestCase):
    databases = BOTH

    def test_a_primary_that_fails_does_not_stop_the_secondary(self):
        down = mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("down"))
        with mock.patch.object(migrating, "_roles", lambda: []), down:
            found = {result.database: result.error for result in migrating.migrate_all()}
        self.assertEqual((found["default"], found[SECONDARY]), ("down", ""))

    def test_migrations_that_are_only_recorded_are_not_pending(self):
        for alias, pending in (("default", []), (SECONDARY, ["layer_diary.0001_initial"])):
            MigrationRecorder(connections[alias]).record_unapplied("layer_diary", "0001_initial")
            self.addCleanup(MigrationRecorder(connections[alias]).record_applied, "layer_diary", "0001_initial")
            self.assertEqual(migrating._pending(connections[alias]), pending)


class AdminTests(TestCase):
    databases = BOTH

    def test_its_rows_are_changed_in_the_admin_as_any_others(self):
        with plain_site(
            __name__,
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ):
            self.client.defaults["HTTP_HOST"] = "example.com"
            self.client.force_login(make_superuser())
            self.client.post(reverse("admin:layer_diary_entry_add"), {"text": "from the admin", "note_id": 1})
            entry = Entry.objects.get()
            self.client.post(
                reverse("admin:layer_diary_entry_change", args=[entry.pk]), {"text": "changed", "note_id": 2}
            )
            entry.refresh_from_db()
            self.assertEqual(entry.text, "changed")
            self.client.post(reverse("admin:layer_diary_entry_delete", args=[entry.pk]), {"post": "yes"})
            self.assertFalse(Entry.objects.exists())


class TransactionTests(TransactionTestCase):
    databases = BOTH

    def drop(self, model: type[models.Model]) -> None:
        with connections[SECONDARY].schema_editor() as editor:
            editor.delete_model(model)

    def test_atomic_for_covers_the_writes_of_its_model(self):
        with self.assertRaises(ZeroDivisionError), atomic_for(Entry):
            Entry.objects.create(text="undone")
            1 / 0  # noqa: B018
        self.assertFalse(Entry.objects.exists())

    def test_work_waits_for_the_commit_on_the_secondary(self):
        done: list[str] = []
        with atomic_for(Entry):
            on_commit_for(Note, lambda: done.append("at once: no transaction on the primary is open"))
            on_commit_for(Entry, lambda: done.append("after the commit"))
            self.assertEqual(len(done), 1)
        self.assertEqual(len(done), 2)

    def test_a_write_that_survives_a_rollback_is_refused_unless_it_is_said(self):
        with self.assertRaisesMessage(TransactionManagementError, "atomic_for(Model)"), transaction.atomic():
            Entry.objects.create(text="not meant")
        self.assertFalse(Entry.objects.exists())
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Note.objects.create(text="undone")
            with atomic_for(Entry):
                Entry.objects.create(text="tried to add a note")
            1 / 0  # noqa: B018
        self.assertEqual((Note.objects.count(), Entry.objects.count()), (0, 1))

    def test_an_app_of_django_moves_there_by_its_line(self):
        with override_settings(APP_DATABASES={**settings.APP_DATABASES, "sessions": SECONDARY}):
            self.assertEqual(router.db_for_write(Session), SECONDARY)
            self.assertTrue(router.allow_migrate(SECONDARY, "sessions"))
            self.assertFalse(router.allow_migrate("default", "sessions"))
            # You may have moved it there already.
            if Session._meta.db_table not in connections[SECONDARY].introspection.table_names():
                with connections[SECONDARY].schema_editor() as editor:
                    editor.create_model(Session)
                self.addCleanup(self.drop, Session)
            session = SessionStore()
            session["key"] = "value"
            session.save()
            self.assertEqual(SessionStore(session.session_key)["key"], "value")
            self.assertEqual(Session.objects.using(SECONDARY).count(), 1)
