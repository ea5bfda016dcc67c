"""The text of abstract classes: names that Django allows, and relations whose ways back do not collide."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.test import SimpleTestCase

from databases.foreign.columns import Column, is_unusable
from databases.foreign.files import CLASS, LEFT_OUT
from databases.foreign.generate import Copy, Generator, why_no_class
from databases.foreign.naming import camel, place
from databases.foreign.source import Source
from databases.foreign.tests.test_seeds import FOREIGN
from databases.foreign.upstream import Table

#: App and model of tables, where the other application is a Django project with these apps and models.
KNOWN = {
    ("blog", ""): "",
    ("blog_images", ""): "",
    ("blog", "logentry"): "LogEntry",
    ("blog", "logentryline"): "LogEntryLine",
}
PLACES = {
    "django_session": ("sessions", "Session"),
    "django_admin_log": ("admin", "LogEntry"),
    "django_content_type": ("contenttypes", "ContentType"),
    "django_site": ("sites", "Site"),
    "django_flatpage": ("flatpages", "FlatPage"),
    "django_flatpage_sites": ("flatpages", "FlatPageSites"),
    "blog_logentry": ("blog", "LogEntry"),
    "blog_logentryline": ("blog", "LogEntryLine"),
    "blog_logentry_tags": ("blog", "LogEntryTags"),
    "blog_images_image": ("blog_images", "Image"),
    "wiki_page": ("wiki", "Page"),
    "plain": ("plain", "Plain"),
    "_odd": ("tables", "Odd"),
}
CLASSES = {
    "line_attribute": "LineAttribute",
    "LineItem": "LineItem",
    "3d model": "Table3dModel",
    "none": "TableNone",
    "bit_field": "TableBitField",
    "straße": "Straße",
    "__": "Table",
    "x²y": "XY",
    "a\nb": "AB",
}


def column(name: str, field: str = "IntegerField", null: bool = False, **arguments: Any) -> Column:
    return Column(name, field, arguments, null, field.lower())


def table(name: str, *columns: Column, unique: Any = (), **relations: tuple[str, str]) -> Table:
    """Return a table whose first column is its key."""
    return Table(name, {each.name: each for each in columns}, (columns[0].name,), {*unique}, relations)


def classes(*tables: Table) -> dict[str, str]:
    copies = {each.name: Copy("shop", camel(each.name)) for each in tables}
    generator = Generator(models.Model, copies, {each.name: each for each in tables}, {})
    return {each.name: generator.text(each) for each in tables}


class NameTests(SimpleTestCase):
    def test_tables_get_the_names_of_the_other_application(self):
        self.assertEqual({name: place(name, KNOWN) for name in PLACES}, PLACES)

    def test_any_table_gets_the_name_of_a_class(self):
        self.assertEqual({name: camel(name) for name in CLASSES}, CLASSES)

    def test_fields_get_names_that_python_django_and_the_file_leave_free(self):
        names = ("id", "save", "objects", "models", "pk", "class", "_a", "b_", "c__d", "1st", "check", "AsTextField")
        names = (*names, "mro", "fi", "ﬁ")
        text = classes(table("thing", *map(column, names)))["thing"]
        for line in (
            "    id = models.IntegerField(primary_key=True)",
            '    save_0 = models.IntegerField(db_column="save")',
            '    objects_0 = models.IntegerField(db_column="objects")',
            '    models_0 = models.IntegerField(db_column="models")',
            '    pk_0 = models.IntegerField(db_column="pk")',
            '    class_field = models.IntegerField(db_column="class")',
            '    field_a = models.IntegerField(db_column="_a")',
            '    c_d = models.IntegerField(db_column="c__d")',
            '    number_1st = models.IntegerField(db_column="1st")',
            '    check_0 = models.IntegerField(db_column="check")',
            '    astextfield = models.IntegerField(db_column="AsTextField")',
            '    mro_0 = models.IntegerField(db_column="mro")',
            '    fi_0 = models.IntegerField(db_column="ﬁ")',
        ):
            self.assertIn(line, text)

    def test_a_name_that_django_does_not_escape_is_left_out(self):
        # Django refuses a dollar sign on PostgreSQL alone.
        source = Source(FOREIGN[0], models.Model, "", "", lambda sql: "for" not in sql)
        dollar = ["a$b"] if source.connection.vendor == "postgresql" else []
        for bad in ("a%b", 'a"b', "a`b", "for update", *dollar):
            self.assertTrue(is_unusable(source, bad), bad)
        for good in {"a", "select", "a b", "straße", "a$b"} - {*dollar}:
            self.assertFalse(is_unusable(source, good), good)
        bad = Column("per%cent", "IntegerField", {}, False, "integer", is_usable=False)
        text = classes(table("thing", column("id"), bad, column("where", ""), column("x৴")))["thing"]
        for line in (
            '    # "per%cent" is left out: Django cannot use such names\n',
            '    # "where" is left out: Django has no field for \n',
            '    # "x৴" is left out: Django cannot use such names\n',
        ):
            self.assertIn(line, text)
        self.assertEqual(why_no_class(table("a", column("id"))), "")
        no_key = "it has no primary key that Django can use"
        for each in (
            table("a", column("id", "")),
            table("a", bad),
            Table("a", {}, ("b",), set(), {}),
            Table("a", {}, (), set(), {}),
        ):
            self.assertEqual(why_no_class(each), no_key)

    def test_no_name_and_no_type_adds_a_line_to_the_file(self):
        evil = "x\nimport os"
        odd = Column(evil, "", {}, False, evil)
        key = column("a_id")
        text = classes(table("thing", column("id"), odd, column(f"{evil} "), key, a_id=(evil, evil)))["thing"]
        self.assertNotIn("\nimport os", text)
        self.assertIn('# "x\\nimport os" is left out: Django has no field for x?import os\n', text)
        self.assertIn("  # a foreign key to x?import os.x?import os, which is not copied\n", text)
        self.assertIn('db_column="x\\nimport os ")', text)
        compile(text, "upstream.py", "exec")

    def test_the_importer_finds_what_it_has_written(self):
        view = Table("a_view", {"id": column("id")}, ("id",), set(), {}, is_view=True)
        generator = Generator(models.Model, {"a_view": Copy("shop", "View", "id")}, {"a_view": view}, {})
        text = f'\n\n{generator.text(view)}\n\n\n# Log is left out, "a log": some reason\n\n\n'
        text += f"{classes(table('''thing''', column('id')))['thing']}\n"
        self.assertEqual(
            [each.groups() for each in CLASS.finditer(text)], [("View", '"id"', '"a_view"'), ("Thing", None, '"thing"')]
        )
        self.assertEqual(LEFT_OUT.findall(text), [("Log", '"a log"')])
        self.assertEqual([each[0].count("class ") for each in CLASS.finditer(text)], [2, 2])


class RelationTests(SimpleTestCase):
    def test_ways_back_that_collide_get_names(self):
        books = table(
            "book",
            column("id"),
            column("author_id"),
            column("editor_id"),
            column("shop_id"),
            column("case_id"),
            author_id=("author", "id"),
            editor_id=("author", "id"),
            shop_id=("shop", "id"),
            case_id=("case", "id"),
        )
        others = {"author": "name", "shop": "book_set", "case": "book"}
        there = [table(name, column("id"), column(each)) for name, each in others.items()]
        found = classes(books, *there)["book"]
        self.assertIn(
            'author = models.ForeignKey("shop.Author", models.DO_NOTHING, related_name="shop_book_author")', found
        )
        self.assertIn(
            'editor = models.ForeignKey("shop.Author", models.DO_NOTHING, related_name="shop_book_editor")', found
        )
        # The other table has a column of that name, or of the name by which queries follow the way back.
        self.assertIn('shop = models.ForeignKey("shop.Shop", models.DO_NOTHING, related_name="shop_book_shop")', found)
        self.assertIn('case = models.ForeignKey("shop.Case", models.DO_NOTHING, related_name="shop_book_case")', found)

    def test_a_key_leads_only_to_a_unique_column_of_a_copy(self):
        keys = {
            "a_id": ("there", "id"),
            "b_id": ("there", "name"),
            "c_id": ("gone", "id"),
            "d_id": ("there", "code"),
            "e_id": ("pair", "x"),
        }
        lines = table("line", column("id"), *(column(each, null=True) for each in keys), **keys)
        there = table("there", column("id"), column("name"), column("code"), unique=[("code",)])
        pair = Table("pair", {"x": column("x"), "y": column("y")}, ("x", "y"), set(), {})
        text = classes(lines, there, pair)["line"]
        self.assertIn(
            'a = models.ForeignKey("shop.There", models.DO_NOTHING, related_name="shop_line_a", null=True)', text
        )
        self.assertIn("b_id = models.IntegerField(null=True)  # a foreign key to there.name, which is not copied", text)
        self.assertIn("c_id = models.IntegerField(null=True)  # a foreign key to gone.id, which is not copied", text)
        self.assertIn('d = models.ForeignKey("shop.There", models.DO_NOTHING, to_field="code", related', text)
        self.assertIn("e_id = models.IntegerField(null=True)  # a foreign key to pair.x, which is not copied", text)
        self.assertIn('    pk = models.CompositePrimaryKey("x", "y")\n', classes(pair)["pair"])

    def test_a_unique_key_is_a_one_to_one_field_and_a_loop_leads_to_self(self):
        text = classes(
            table("page", column("id"), column("twin_id", null=True), unique=[("twin_id",)], twin_id=("page", "id"))
        )["page"]
        self.assertIn('twin = models.OneToOneField("self", models.DO_NOTHING, null=True)', text)

    def test_a_key_whose_name_is_taken_gets_another(self):
        text = classes(table("page", column("id"), column("parent_id"), column("parent"), parent=("page", "id")))[
            "page"
        ]
        self.assertIn("    parent_id = models.IntegerField()", text)
        self.assertIn('    parent_relation = models.ForeignKey("self", models.DO_NOTHING, db_column="parent")', text)
        text = classes(table("page", column("id"), column("parent"), column("parent_id"), parent=("page", "id")))[
            "page"
        ]
        self.assertIn('    parent = models.ForeignKey("self", models.DO_NOTHING, db_column="parent")', text)
        self.assertIn('    parent_id_0 = models.IntegerField(db_column="parent_id")', text)

    def test_a_key_to_a_table_of_the_same_name_in_another_schema_stays_a_column(self):
        there = '"other"."page"'
        old = table("page", column("id"), column("new_id"), new_id=(there, "id"))
        text = classes(old, table(there, column("id")))["page"]
        self.assertIn("    new_id = models.IntegerField()  # a foreign key", text)

    def link(self, name: str, *columns: Column, unique: Any = (("book_id", "tag_id"),), owner: str = "book") -> str:
        keys = {"book_id": ("book", "id"), "tag_id": ("tag", "id")}
        between = table(name, column("id"), column("book_id"), column("tag_id"), *columns, unique=unique, **keys)
        return classes(between, table("book", column("id")), table("tag", column("id"), column("tags")))[owner]

    def test_a_table_that_only_links_two_becomes_a_many_to_many_field(self):
        words = '"shop.Tag", through="shop.BookTags", through_fields=["book", "tag"]'
        self.assertIn(f"    tags = models.ManyToManyField({words})", self.link("book_tags"))
        self.assertNotIn("ManyToMany", self.link("book_tags", column("since")))
        self.assertNotIn("ManyToMany", self.link("book_tags", unique=()))
        self.assertNotIn("ManyToMany", self.link("elsewhere"))
        self.assertIn('save_0 = models.ManyToManyField("shop.Tag"', self.link("book_save"))
        self.assertIn('books = models.ManyToManyField("shop.Book"', self.link("tag_books", owner="tag"))

    def test_links_of_two_columns_have_ways_back_that_do_not_collide(self):
        keys = {"book_id": ("book", "id"), "tag_id": ("tag", "id")}
        links = [
            Table(name, {each: column(each) for each in keys}, (*keys,), set(), keys)
            for name in ("book_tags", "book_themes")
        ]
        text = classes(*links, table("book", column("id")), table("tag", column("id")))["book"]
        for name in ("tags", "themes"):
            self.assertRegex(text, rf' {name} = models.ManyToManyField\("shop.Tag", .*related_name="shop_book_{name}"')

    def test_a_link_to_itself_is_not_symmetrical(self):
        keys = {"a_id": ("person", "id"), "b_id": ("person", "id")}
        between = table(
            "person_friends", column("id"), column("a_id"), column("b_id"), unique=[("a_id", "b_id")], **keys
        )
        text = classes(between, table("person", column("id")))["person"]
        self.assertIn(
            'friends = models.ManyToManyField("self", through="shop.PersonFriends", through_fields=["a", "b"], sym',
            text,
        )

    def test_arguments_of_types_are_kept(self):
        texts = classes(
            table(
                "thing",
                column("id"),
                column("mood", "CharField", max_length=3, choices=[["ok", "ok"]]),
                column("n", "AutoField"),
                column("at", "ZonelessDateTimeField"),
                Column("zero", "DateField", {}, False, "date", is_zero=True),
                unique=[("mood",), ("n", "at")],
            )
        )["thing"]
        self.assertIn('mood = models.CharField(max_length=3, choices=[["ok", "ok"]], unique=True)', texts)
        # Only a primary key may be an AutoField.
        self.assertIn("    n = models.IntegerField()\n    at = ZonelessDateTimeField()\n", texts)
        self.assertIn("    zero = models.DateField(null=True)\n", texts)
        self.assertIn('unique_together = [["n", "at"]]', texts)
