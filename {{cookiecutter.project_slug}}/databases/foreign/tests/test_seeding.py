"""Fixtures are loaded through historical models, and copies of their tables restore the rows after a flush."""

import json
import tempfile
from datetime import datetime
from pathlib import Path

from django.core.management.color import no_style
from django.db import IntegrityError, connection, models
from django.db.migrations import AddField, CreateModel, RenameField
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from databases.foreign.seeding import keep_copies, load_fixture, restore_copies
from databases.foreign.tests.schema_case import SchemaTestCase

LONG_AGO = datetime.fromisoformat("1987-04-23T12:00:00+00:00")


def create(name: str, *fields: tuple[str, models.Field], bases: tuple = (models.Model,)) -> CreateModel:
    key = () if "layer_shelf.book" in bases else (("id", models.BigAutoField(primary_key=True)),)
    return CreateModel(name, [*key, *fields], bases=bases)


def link(to: str, **options) -> models.ForeignKey:
    return models.ForeignKey(to, models.CASCADE, null=True, **options)


class ShelfTestCase(SchemaTestCase):
    """Applies a history of migrations to the primary's test database, and drops its tables after each test."""

    databases = {"default"}

    def setUp(self):
        self.state = ProjectState()
        self.apply(create("Author", ("name", models.CharField(max_length=50))))
        self.apply(
            create(
                "Book",
                ("title", models.CharField(max_length=50)),
                ("sequel", link("layer_shelf.book")),
                ("added", models.DateTimeField(auto_now_add=True)),
                ("changed", models.DateTimeField(auto_now=True)),
                ("authors", models.ManyToManyField("layer_shelf.author")),
                ("similar", models.ManyToManyField("self")),
            )
        )
        key = models.OneToOneField(
            "layer_shelf.book", models.CASCADE, auto_created=True, parent_link=True, primary_key=True, serialize=False
        )
        genre = models.CharField(max_length=50)
        self.apply(create("Novel", ("book_ptr", key), ("genre", genre), bases=("layer_shelf.book",)))

    def tearDown(self):
        with connection.schema_editor() as editor:
            for name in ("novel", "book", "author"):
                editor.delete_model(self.model(name))

    def apply(self, operation: Operation) -> None:
        before, self.state = self.state, self.state.clone()
        operation.state_forwards("layer_shelf", self.state)
        with connection.schema_editor() as editor:
            operation.database_forwards("layer_shelf", editor, before, self.state)

    def model(self, name: str) -> type[models.Model]:
        return self.state.apps.get_model("layer_shelf", name)

    def load(self, *records: dict) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "layer_shelf.json")
            path.write_text(json.dumps(records), encoding="utf-8")
            load_fixture(path, self.state.apps, "default")

    def load_books(self) -> None:
        dates = {"added": LONG_AGO.isoformat(), "changed": LONG_AGO.isoformat()}
        first = {"title": "Phlebas", "sequel": 8, "authors": [3], "similar": [8], **dates}
        self.load(
            book(7, **first),
            book(8, title="Games", sequel=None, authors=[3, 4], similar=[7], **dates),
            {"model": "layer_shelf.novel", "pk": 8, "fields": {"genre": "space"}},
            author(3, name="Banks"),
            author(4, name="Iain"),
        )

    def contents(self) -> list:
        every = self.state.apps.get_models(include_auto_created=True)
        return [sorted(model._base_manager.values_list()) for model in sorted(every, key=lambda each: each.__name__)]


def book(pk: int, **fields) -> dict:
    return {"model": "layer_shelf.book", "pk": pk, "fields": fields}


def author(pk: int, **fields) -> dict:
    return {"model": "layer_shelf.author", "pk": pk, "fields": fields}


class LoadTests(ShelfTestCase):
    def test_relations_may_point_forward_to_self_and_to_many(self):
        self.load_books()
        first = self.model("book").objects.get(pk=7)
        self.assertEqual(first.sequel.title, "Games")
        self.assertEqual(first.similar.get(), first.sequel)
        self.assertEqual({each.name for each in first.sequel.authors.all()}, {"Banks", "Iain"})

    def test_a_multi_table_child_is_loaded_into_its_own_table(self):
        self.load_books()
        novel = self.model("novel").objects.get()
        self.assertEqual((novel.pk, novel.title, novel.genre), (8, "Games", "space"))

    def test_auto_now_dates_keep_their_dumped_values(self):
        self.load_books()
        first = self.model("book").objects.get(pk=7)
        self.assertEqual((first.added, first.changed), (LONG_AGO, LONG_AGO))

    def test_the_next_row_gets_an_unused_key(self):
        self.load_books()
        self.assertGreater(self.model("author").objects.create(name="Vance").pk, 4)
        self.model("book").objects.get(pk=7).authors.add(4)

    def test_a_seed_survives_a_later_change_of_its_model(self):
        self.load(author(3, name="Banks"))
        self.apply(RenameField("author", "name", "full_name"))
        self.apply(AddField("author", "born", models.DateField(null=True)))
        self.assertEqual(self.model("author").objects.get().full_name, "Banks")

    def test_a_seed_uses_the_field_names_of_its_historical_state(self):
        self.apply(RenameField("author", "name", "full_name"))
        self.load(author(3, full_name="Banks"))
        self.assertEqual(self.model("author").objects.get().full_name, "Banks")


class RefusalTests(ShelfTestCase):
    def refuses(self, message: str, *records: dict) -> None:
        with self.assertRaisesMessage(ValueError, message):
            self.load(*records)
        self.assertFalse(self.model("book").objects.exists())

    def test_natural_keys_are_refused(self):
        self.refuses("layer_shelf.book.sequel is a natural key", book(7, title="Phlebas", sequel=["Games"]))
        self.refuses("layer_shelf.book.authors is a natural key", book(7, title="Phlebas", authors=[["Banks"]]))

    def test_rows_without_a_primary_key_are_refused(self):
        self.refuses("layer_shelf.author has no pk", {"model": "layer_shelf.author", "fields": {"name": "Banks"}})

    def test_a_foreign_key_without_a_target_is_refused(self):
        dates = {"added": LONG_AGO.isoformat(), "changed": LONG_AGO.isoformat()}
        for dangling in ({"sequel": 99}, {"authors": [99]}):
            with self.subTest(dangling), self.assertRaisesMessage(IntegrityError, "layer_shelf_book"):
                self.load(book(7, title="Phlebas", **dangling, **dates))
        self.assertFalse(self.model("book").objects.exists())


class CopyTests(ShelfTestCase):
    def setUp(self):
        super().setUp()
        self.load_books()
        self.every = self.state.apps.get_models(include_auto_created=True)
        keep_copies("default", self.every)
        self.seeded = self.contents()

    def tearDown(self):
        with connection.cursor() as cursor:
            for model in self.every:
                cursor.execute(f"DROP TABLE seed_of_{model._meta.db_table}")
        super().tearDown()

    def flush(self) -> None:
        tables = [model._meta.db_table for model in self.every]
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables, reset_sequences=True))

    def test_rows_are_restored_after_a_flush(self):
        self.flush()
        restore_copies("default", self.every)
        self.assertEqual(self.contents(), self.seeded)

    def test_restored_rows_replace_other_rows(self):
        self.model("book").objects.update(title="Changed")
        self.model("author").objects.create(name="Vance").book_set.add(7)
        restore_copies("default", self.every)
        self.assertEqual(self.contents(), self.seeded)

    def test_the_next_row_gets_an_unused_key(self):
        self.flush()
        restore_copies("default", self.every)
        self.assertGreater(self.model("author").objects.create(name="Vance").pk, 4)

    def test_copying_twice_replaces_the_copies(self):
        keep_copies("default", self.every)
        restore_copies("default", self.every)
        self.assertEqual(self.contents(), self.seeded)
